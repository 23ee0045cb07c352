import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import type { TokenSource } from '../../../src/streams/kafka/options.js'
import { endpointToken, fileToken } from '../../../src/streams/kafka/token.js'
import { type Broker, startBroker } from '../../support/kafka-broker.js'
import { OtherClient, Reading, until } from '../../support/kafka-reading.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-token-'))
let broker: Broker
let server: Server
let url: string
/** What the endpoint was asked, and how it is to answer. */
const asked: { authorization: string | undefined; body: string }[] = []
let answer: { status: number; body: string; location?: string } | null = null
let life = 3600

/** An unsecured JWS (RFC 7515, appendix A.5): what a broker takes that has no key set. */
function unsecured(sub: string, seconds: number): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  return `${part({ alg: 'none' })}.${part({ sub, iat: now, exp: now + seconds })}.`
}

beforeAll(async () => {
  const login = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule'
  broker = await startBroker({
    properties: {
      'listener.security.protocol.map': 'CLIENT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT',
      'sasl.enabled.mechanisms': 'OAUTHBEARER',
      'sasl.mechanism.inter.broker.protocol': 'OAUTHBEARER',
      'listener.name.client.oauthbearer.sasl.jaas.config': `${login} required unsecuredLoginStringClaim_sub="broker";`,
    },
  })
  const sasl = {
    mechanism: 'oauthbearer',
    oauthBearerProvider: async () => ({ value: unsecured('admin', 60) }),
  } as const
  const admin = await OtherClient.connect(broker.bootstrap, { sasl })
  await admin.topic('feedback')
  await admin.close()
  server = createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => {
      body += chunk
    })
    request.on('end', () => {
      asked.push({ authorization: request.headers.authorization, body })
      const good = { status: 200, body: JSON.stringify({ access_token: unsecured('bcod', life), expires_in: life }) }
      const given = answer ?? good
      const location = answer?.location === undefined ? {} : { location: answer.location }
      response.writeHead(given.status, { 'content-type': 'application/json', ...location }).end(given.body)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
})

afterAll(async () => {
  server?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const endpoint = () => endpointToken({ url, clientId: 'me', clientSecret: 'se:cret', scope: 'kafka' })

const logWith = (token: TokenSource) =>
  new KafkaFeedbackLog({
    ...{ brokers: [broker.bootstrap], topic: 'feedback', groupId: 'readers', connectTimeout: 4000 },
    sasl: { mechanism: 'oauthbearer', token },
  })

test('logs in with tokens from the endpoint and reads', async () => {
  asked.length = 0
  const log = logWith(endpoint())
  const reading = new Reading(log)
  await until(() => reading.assignments.length > 0 || reading.error !== undefined)
  expect(reading.error).toBeUndefined()
  await log.close()
  // one token for all the connections, of the client credentials grant
  expect(asked).toEqual([
    {
      authorization: `Basic ${Buffer.from('me:se%3Acret').toString('base64')}`,
      body: 'grant_type=client_credentials&scope=kafka',
    },
  ])
})

test('a token is asked for anew once most of its life is over', async () => {
  asked.length = 0
  life = 1
  const token = endpoint()
  const first = await token()
  expect(await token()).toBe(first)
  expect(asked).toHaveLength(1)
  await new Promise((resolve) => setTimeout(resolve, 900))
  await token()
  expect(asked).toHaveLength(2)
  life = 3600
})

test('a redirect takes the client secret nowhere, and an error does not repeat the query of the URL', async () => {
  asked.length = 0
  answer = { status: 307, body: '', location: '/elsewhere' }
  const token = endpointToken({ url: `${url}?code=key`, clientId: 'me', clientSecret: 'se:cret', scope: null })
  const failure = await token().catch((error: Error) => error)
  answer = null
  expect(asked).toHaveLength(1)
  expect(String((failure as Error).message)).toContain('it redirects (status 307)')
  expect(JSON.stringify(failure, Object.getOwnPropertyNames(failure))).not.toContain('code=key')
})

test('logs in with a token from a file, read anew each time', async () => {
  const path = join(directory, 'token')
  writeFileSync(path, `${unsecured('bcod', 60)}\n`)
  const log = logWith(fileToken(path))
  expect(await log.clusterId()).toMatch(/./)
  await log.close()
  writeFileSync(path, 'another')
  expect(await fileToken(path)()).toBe('another')
})

test.each<[string, () => TokenSource, { status: number; body: string } | null, string, RegExp]>([
  ['the endpoint refuses', endpoint, { status: 401, body: '{}' }, 'KAFKA_LOGIN_FAILED', /status 401/],
  [
    'the endpoint gives no token',
    endpoint,
    { status: 200, body: '{}' },
    'KAFKA_LOGIN_FAILED',
    /without an access_token/,
  ],
  ['the endpoint answers with a page', endpoint, { status: 200, body: '<html>' }, 'KAFKA_LOGIN_FAILED', /no JSON/],
  ['the endpoint is down', endpoint, { status: 503, body: '' }, 'KAFKA_UNREACHABLE', /status 503/],
  ['the file is missing', () => fileToken(join(directory, 'none')), null, 'KAFKA_LOGIN_FAILED', /ENOENT/],
  ['the token has expired', () => async () => unsecured('bcod', -600), null, 'KAFKA_LOGIN_FAILED', /./],
])('%s: a coded error', async (_, source, given, code, message) => {
  answer = given
  const log = logWith(source())
  await expect(log.clusterId()).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
  await log.close()
  answer = null
})
