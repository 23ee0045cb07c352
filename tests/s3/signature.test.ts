import { expect, it } from 'vitest'
import { signed } from '../../src/s3/signature.js'

// the examples of AWS, "Signature Calculations for the Authorization Header: Transferring Payload in a Single Chunk"
const KEY = {
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: null,
}
const NOW = new Date('2013-05-24T00:00:00Z')
const HOST = 'https://examplebucket.s3.amazonaws.com'
const NOTHING = new Uint8Array()

it.each([
  [
    'an object',
    { method: 'GET', url: `${HOST}/test.txt`, headers: { range: 'bytes=0-9' }, body: NOTHING },
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'a parameter without a value',
    { method: 'GET', url: `${HOST}/?lifecycle`, headers: {}, body: NOTHING },
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
  [
    'a list',
    { method: 'GET', url: `${HOST}/?max-keys=2&prefix=J`, headers: {}, body: NOTHING },
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
])('signs a request for %s as AWS does', (_, request, signature) => {
  const { authorization } = signed({ ...request, url: new URL(request.url) }, KEY, 'us-east-1', NOW)
  expect(authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/20130524\/us-east-1\/s3\/aws4_request,/,
  )
  expect(authorization?.split('Signature=')[1]).toBe(signature)
})

it('the token of temporary credentials is sent and signed', () => {
  const request = { method: 'PUT', url: new URL(`${HOST}/a`), headers: { 'if-none-match': '*' }, body: NOTHING }
  const headers = signed(request, { ...KEY, sessionToken: 'token' }, 'us-east-1', NOW)
  expect(headers['x-amz-security-token']).toBe('token')
  expect(headers.authorization).toContain(
    'SignedHeaders=host;if-none-match;x-amz-content-sha256;x-amz-date;x-amz-security-token',
  )
})
