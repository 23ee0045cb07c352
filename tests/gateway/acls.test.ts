import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { Gateway } from '../../src/gateway/gateway.js'
import { KafkaFeedbackLog } from '../../src/streams/kafka/log.js'
import { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { type SecureBroker, startSecureBroker, USERS } from '../support/kafka-broker.js'
import { OtherClient, Reading, until } from '../support/kafka-reading.js'
import { StandInUpstream } from '../support/upstream.js'

const { AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const OPERATIONS: Readonly<Record<string, number>> = { Read: 3, Write: 4, Describe: 8, DescribeConfigs: 10 }
/** The logins of the guide, as this broker knows them. */
const LOGINS = { may: 'reader', gateway: 'gateway' } as const
const TOPICS = ['feedback', 'feedback.dlq', 'feedback.completions', 'feedback.by-id', 'feedback.by-id.dlq']

const directory = mkdtempSync(join(tmpdir(), 'bcod-acls-'))
const login = (username: keyof typeof USERS) =>
  ({ mechanism: 'scram-sha-512', username, password: USERS[username] }) as const
let broker: SecureBroker
let admin: OtherClient

/** Every right that docs/deployment.md gives. */
function rights() {
  const guide = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')
  return [...guide.matchAll(/^(may|gateway) (--operation .*) --(topic|group) (\S+)$/gm)].flatMap(
    ([, who, operations, kind, resourceName]) =>
      [...operations!.matchAll(/--operation (\w+)/g)].map(([, operation]) => ({
        ...{ resourceName: resourceName!, operation: OPERATIONS[operation!]!, host: '*' },
        resourceType: kind === 'topic' ? AclResourceTypes.TOPIC : AclResourceTypes.GROUP,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: `User:${LOGINS[who as keyof typeof LOGINS]}`,
        permissionType: AclPermissionTypes.ALLOW,
      })),
  )
}

beforeAll(async () => {
  broker = await startSecureBroker(directory)
  admin = await OtherClient.connect(broker.bootstrap, { ssl: { ca: broker.ca }, sasl: login('admin') })
  for (const topic of TOPICS) await admin.topic(topic)
  await admin.admin.createAcls({ acl: rights() })
})
afterAll(async () => {
  await admin?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** With the rights of the guide and no others. */
async function gateway(): Promise<string> {
  const upstream = await StandInUpstream.start()
  const { username, password } = login('gateway')
  const settings = {
    ...{ 'gateway.upstreams': upstream.url, 'gateway.port': 0, 'server.port': 0, 'stream.topic': 'feedback' },
    ...{ 'gateway.userSalt': 'a salt that is long enough', 'gateway.voteKey': '0123456789abcdef0123456789abcdef' },
    ...{ 'gateway.votesTopic': 'feedback.by-id', 'stream.brokers': broker.bootstrap, 'stream.tls.enabled': true },
    ...{ 'stream.tls.ca': join(directory, 'cert.pem'), 'stream.sasl.mechanism': 'scram-sha-512' },
    ...{ 'stream.sasl.username': username, 'stream.sasl.password': password },
  }
  const set = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
  const gateway = new Gateway(
    requireFor(loadConfig({ set, env: {} }), 'gateway'),
    new GatewayMetrics(),
    createLogger('silent'),
  )
  const { port } = await gateway.listen()
  onTestFinished(async () => {
    await gateway.close()
    await upstream.close()
  })
  return `http://127.0.0.1:${port}`
}

async function asked(base: string): Promise<{ completion: string; token: string }> {
  const body = JSON.stringify({ model: 'shop', user: 'ann', messages: [{ role: 'user', content: 'Hello' }] })
  for (const end = Date.now() + 60_000; Date.now() < end; await sleep(100)) {
    const answer = await fetch(`${base}/v1/chat/completions`, { method: 'POST', body })
    const token = answer.headers.get('x-bcod-vote')
    const { id } = (await answer.json()) as { id: string }
    if (token !== null) return { completion: id, token }
  }
  throw new Error('no token: the completions topic cannot be written')
}

it('the gateway can do all that it does with the rights of the guide: keep answers, join votes of both kinds', async () => {
  const base = await gateway()
  const [byHttp, byTopic] = [await asked(base), await asked(base)]
  const body = JSON.stringify({ ...byHttp, label: true })
  const headers = { 'content-type': 'application/json' }
  expect((await fetch(`${base}/v1/feedback`, { method: 'POST', headers, body })).status).toBe(202)
  const votes = [{ completion: byTopic.completion, label: false }, 'no vote']
  await admin.send(
    'feedback.by-id',
    votes.map((vote) => ({ value: JSON.stringify(vote) })),
  )

  // read with the daemon's login
  const connection = { brokers: [broker.bootstrap], tls: { enabled: true, ca: broker.ca }, sasl: login('reader') }
  const log = new KafkaFeedbackLog({ ...connection, topic: 'feedback', groupId: 'bcod', sessionTimeout: 6000 })
  onTestFinished(() => log.close())
  const reading = new Reading(log)
  await until(() => reading.records.length === 2 || reading.error !== undefined)
  expect(reading.error).toBeUndefined()
  const subjects = reading.values.map((value) => JSON.parse(value).subject)
  expect(subjects.sort()).toEqual([byHttp.completion, byTopic.completion].sort())
  const letters = async () => (await admin.admin.fetchTopicOffsets('feedback.by-id.dlq')).map(({ high }) => high)
  await expect.poll(letters, { timeout: 30_000 }).toEqual(['1'])
})

it("the daemon's login can write neither votes nor answers", async () => {
  const client = await OtherClient.connect(broker.bootstrap, {
    ...{ ssl: { ca: broker.ca }, sasl: login('reader'), retry: { retries: 0 } },
  })
  onTestFinished(() => client.close())
  for (const topic of ['feedback', 'feedback.completions', 'feedback.by-id'])
    await expect(client.send(topic, [{ value: '{}' }]), topic).rejects.toThrow(/authorized/i)
})
