import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { readVoteToken, signVoteToken } from '../../src/gateway/vote-token.js'

const key = Buffer.from('0123456789abcdef0123456789abcdef')
const other = Buffer.from('fedcba9876543210fedcba9876543210')
const expires = new Date(1_800_000_000_000)
const before = new Date(expires.getTime() - 1000)
const grant = { completion: 'cmpl-1', user: 'a1b2', expires }
const code = (thrown: Promise<unknown>) =>
  thrown.then(
    () => 'accepted',
    ({ code, message }) => `${code}: ${message}`,
  )
const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
const signed = (header: object, payload: object, by: Buffer = key) => {
  const text = `${part(header)}.${part(payload)}`
  return `${text}.${createHmac('sha256', by).update(text).digest('base64url')}`
}
const claims = { sub: 'cmpl-1', aud: 'bcod-vote', exp: 1_800_000_000 }

describe('a vote token', () => {
  it('is read back, also after its key has been replaced', async () => {
    const token = await signVoteToken(grant, key)
    expect(await readVoteToken(token, [key], before)).toEqual(grant)
    expect(await readVoteToken(token, [other, key], before)).toEqual(grant)
    const nobody = { ...grant, user: null }
    expect(await readVoteToken(await signVoteToken(nobody, key), [key], before)).toEqual(nobody)
  })

  it('is what RFC 7515 makes of header, claims and key', async () => {
    const { user, ...anonymous } = grant
    expect(await signVoteToken({ ...anonymous, user: null }, key)).toBe(signed({ alg: 'HS256' }, claims))
    expect(await readVoteToken(signed({ alg: 'HS256' }, { ...claims, user }), [key], before)).toEqual(grant)
  })

  it.each([
    ['of another key', () => signVoteToken(grant, other), 'none of the keys has signed it'],
    ['changed', async () => `${(await signVoteToken(grant, key)).slice(0, -2)}AA`, 'none of the keys has signed it'],
    ['of no algorithm', async () => `${part({ alg: 'none' })}.${part(claims)}.`, 'it is no vote token'],
    ['of another algorithm', async () => signed({ alg: 'HS512' }, claims), 'it is no vote token'],
    ['for another use', async () => signed({ alg: 'HS256' }, { ...claims, aud: 'x' }), 'it is no vote token'],
    ['that never expires', async () => signed({ alg: 'HS256' }, { ...claims, exp: undefined }), 'it is no vote token'],
    ['for no answer', async () => signed({ alg: 'HS256' }, { ...claims, sub: undefined }), 'it is no vote token'],
    ['of no form', async () => 'token', 'it is no vote token'],
  ])('%s is not accepted', async (_, token, reason) => {
    expect(await code(readVoteToken(await token(), [key], before))).toBe(
      `VOTE_TOKEN_INVALID: the vote token is not accepted: ${reason}`,
    )
  })

  it('is not accepted after its time', async () => {
    const token = await signVoteToken(grant, key)
    expect(await code(readVoteToken(token, [key], new Date(expires.getTime() + 1000)))).toContain('it has expired')
  })

  it('is not accepted without keys', async () => {
    expect(await code(readVoteToken(await signVoteToken(grant, key), [], before))).toContain('VOTE_TOKEN_INVALID')
  })
})
