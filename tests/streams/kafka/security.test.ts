import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import type { KafkaLogOptions } from '../../../src/streams/kafka/options.js'
import { type SecureBroker, startSecureBroker, USERS } from '../../support/kafka-broker.js'
import { OtherClient, Reading, until } from '../../support/kafka-reading.js'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const dir = mkdtempSync(join(tmpdir(), 'bcod-secure-'))
let broker: SecureBroker
let admin: OtherClient

beforeAll(async () => {
  broker = await startSecureBroker(dir)
  const sasl = { mechanism: 'scram-sha-512', username: 'admin', password: USERS.admin } as const
  admin = await OtherClient.connect(broker.bootstrap, { ssl: { ca: broker.ca }, sasl })
  await admin.topic('feedback')
  await admin.topic('feedback.dlq')
  await admin.topic('secret')
  await admin.send('feedback', [{ value: 'one' }])
  await grant(AclResourceTypes.TOPIC, 'feedback', AclOperationTypes.READ)
  await grant(AclResourceTypes.TOPIC, 'feedback.dlq', AclOperationTypes.WRITE)
  await grant(AclResourceTypes.TOPIC, 'missing.dlq', AclOperationTypes.WRITE)
  await grant(AclResourceTypes.GROUP, 'readers', AclOperationTypes.READ)
})

afterAll(async () => {
  await admin?.close()
  await broker?.stop()
  rmSync(dir, { recursive: true, force: true })
})

async function grant(resourceType: number, resourceName: string, operation: number): Promise<void> {
  await admin.admin.createAcls({
    acl: [
      {
        resourceType,
        resourceName,
        operation,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: 'User:reader',
        host: '*',
        permissionType: AclPermissionTypes.ALLOW,
      },
    ],
  })
}

const logOf = (options: Partial<KafkaLogOptions> = {}) =>
  new KafkaFeedbackLog({
    brokers: [broker.bootstrap],
    topic: 'feedback',
    groupId: 'readers',
    sessionTimeout: 6000,
    connectTimeout: 5000,
    tls: { enabled: true, ca: broker.ca },
    sasl: { mechanism: 'scram-sha-512', username: 'reader', password: USERS.reader },
    ...options,
  })

test('reads, looks up, commits and writes letters with the rights that the remedy names', async () => {
  const log = logOf()
  const reading = new Reading(log)
  await until(() => reading.records.length === 1 || reading.error !== undefined)
  expect(reading.error).toBeUndefined()
  await log.commit(new Map([[0, 1]]))
  const record = await log.recordAt(0, 0)
  await log.writeDeadLetters([{ record: record!, code: 'C', message: 'm', stage: 's' }])
  // a right that is not asked for: what it would tell is unknown, and nothing fails
  expect(await log.retentionMs()).toBeNull()
  await log.close()
  expect(await admin.committed('readers', 'feedback')).toEqual({ 0: '1' })
})

test.each<[string, Partial<KafkaLogOptions>, string, string]>([
  [
    'a wrong password',
    { sasl: { mechanism: 'scram-sha-512', username: 'reader', password: 'wrong' } },
    'KAFKA_LOGIN_FAILED',
    'broker',
  ],
  [
    'a mechanism that the broker does not speak',
    { sasl: { mechanism: 'plain', username: 'reader', password: USERS.reader } },
    'KAFKA_LOGIN_FAILED',
    'broker',
  ],
  ['a certificate that nobody vouches for', { tls: { enabled: true } }, 'KAFKA_TLS_FAILED', 'broker'],
  ['a topic that may not be read', { topic: 'secret', dlq: 'feedback.dlq' }, 'KAFKA_NOT_AUTHORIZED', 'secret'],
  ['a group that may not be joined', { groupId: 'others' }, 'KAFKA_NOT_AUTHORIZED', 'others'],
  ['a dead-letter topic that may not be seen', { dlq: 'unseen.dlq' }, 'KAFKA_NOT_AUTHORIZED', 'unseen.dlq'],
  ['a dead-letter topic that may not be created', { dlq: 'missing.dlq' }, 'KAFKA_DLQ_MISSING', 'missing.dlq'],
])('%s is an error at once', async (_, options, code, place) => {
  const log = logOf(options)
  const reading = new Reading(log)
  const started = Date.now()
  await until(() => reading.error !== undefined)
  await log.close()
  expect(reading.error).toMatchObject({ code, place: place === 'broker' ? broker.bootstrap : place })
  expect(Date.now() - started).toBeLessThan(3000)
  expect(JSON.stringify(reading.error)).not.toContain('wrong')
})

test('a right that is taken away while reading ends the stream', { timeout: 20_000 }, async () => {
  await admin.topic('revoked')
  await grant(AclResourceTypes.TOPIC, 'revoked', AclOperationTypes.READ)
  const log = logOf({ topic: 'revoked', dlq: 'feedback.dlq' })
  const reading = new Reading(log)
  await until(() => reading.assignments.length === 1)
  await admin.admin.deleteAcls({
    filters: [
      {
        resourceType: AclResourceTypes.TOPIC,
        resourceName: 'revoked',
        resourcePatternType: ResourcePatternTypes.LITERAL,
        operation: AclOperationTypes.ANY,
        permissionType: AclPermissionTypes.ANY,
      },
    ],
  })
  await until(() => reading.error !== undefined)
  expect(reading.error).toMatchObject({ code: 'KAFKA_NOT_AUTHORIZED', place: 'revoked' })
  await log.close()
})
