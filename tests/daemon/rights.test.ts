import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { type SecureBroker, startSecureBroker, USERS } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { eventually, trainedIds, voteIds, votes } from './feedback.js'
import { expectUnharmed } from './oracle.js'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const TOPIC = 'rights'
const directory = mkdtempSync(join(tmpdir(), 'bcod-rights-'))
const sasl = { mechanism: 'scram-sha-512', username: 'admin', password: USERS.admin } as const
let broker: SecureBroker
let client: OtherClient

beforeAll(async () => {
  broker = await startSecureBroker(directory)
  client = await OtherClient.connect(broker.bootstrap, { ssl: { ca: broker.ca }, sasl })
  await client.topic(TOPIC)
  await client.topic(`${TOPIC}.dlq`)
  await grant(AclResourceTypes.TOPIC, TOPIC, AclOperationTypes.READ)
  await grant(AclResourceTypes.TOPIC, `${TOPIC}.dlq`, AclOperationTypes.WRITE)
  await grant(AclResourceTypes.GROUP, TOPIC, AclOperationTypes.READ)
})
afterAll(async () => {
  await client?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const resource = (resourceType: number, resourceName: string) => ({
  ...{ resourceType, resourceName, resourcePatternType: ResourcePatternTypes.LITERAL },
  ...{ principal: 'User:reader', host: '*' },
})
const grant = (type: number, name: string, operation: number) =>
  client.admin.createAcls({
    acl: [{ ...resource(type, name), operation, permissionType: AclPermissionTypes.ALLOW }],
  })
const revoke = (type: number, name: string) =>
  client.admin.deleteAcls({
    filters: [{ ...resource(type, name), operation: AclOperationTypes.ANY, permissionType: AclPermissionTypes.ANY }],
  })

const daemonWith = async (name: string, settings: Readonly<Record<string, unknown>> = {}) => {
  const daemon = await DaemonProcess.create(join(directory, name), {
    ...{ 'stream.brokers': [broker.bootstrap], 'stream.topic': TOPIC, 'stream.groupId': TOPIC },
    ...{ 'stream.tls.enabled': true, 'stream.tls.ca': join(directory, 'cert.pem') },
    ...{ 'stream.sasl.mechanism': 'scram-sha-512', 'stream.sasl.username': 'reader' },
    ...{ 'stream.sasl.password': USERS.reader, 'batch.size': 4, 'batch.maxLatency': '200ms' },
    ...{ 'checkpoint.everySteps': 1, 'checkpoint.every': '300ms' },
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  return daemon
}

test.each<[string, Readonly<Record<string, unknown>>, string]>([
  ['a wrong password', { 'stream.sasl.password': 'n0t-the-word' }, 'KAFKA_LOGIN_FAILED'],
  ['a certificate that nobody vouches for', { 'stream.tls.ca': null }, 'KAFKA_TLS_FAILED'],
])('%s ends the daemon with a code and what to do', async (name, settings, code) => {
  const daemon = await daemonWith(name.replaceAll(' ', '-'), settings)
  daemon.start()
  expect(await daemon.exit(20_000)).toEqual({ code: 1, signal: null })
  const [error, remedy] = daemon.log.trimEnd().split('\n').slice(-2)
  expect(error).toContain(`${code} ${broker.bootstrap}`)
  expect(remedy).toMatch(/^ {2}-> \S/)
  expect(daemon.log).not.toMatch(/n0t-the-word|reader-secret/)
  expect(daemon.checkpointNames()).toEqual([])
})

test('a right that is taken away while it runs ends it with a code; given again, it goes on where it was', async () => {
  const daemon = await daemonWith('revoked')
  await client.send(TOPIC, votes(0, 12))
  daemon.start()
  await eventually(() => trainedIds(daemon.journal()).length === 12, 30_000)
  await daemon.until(settled)
  await revoke(AclResourceTypes.TOPIC, TOPIC)
  await client.send(TOPIC, votes(12, 4))
  expect(await daemon.exit(30_000), daemon.log).toEqual({ code: 1, signal: null })
  expect(daemon.log).toMatch(new RegExp(`^KAFKA_NOT_AUTHORIZED ${TOPIC}: `, 'm'))

  await grant(AclResourceTypes.TOPIC, TOPIC, AclOperationTypes.READ)
  daemon.start()
  await client.send(TOPIC, [...votes(16, 8), { key: 'bad', value: 'not json' }])
  await eventually(() => trainedIds(daemon.journal()).length >= 24, 30_000)
  await daemon.until(settled)
  await sleep(1_000)
  expect(await daemon.stop()).toBe(0)
  const connection = { brokers: [broker.bootstrap], tls: { enabled: true, ca: broker.ca }, sasl }
  const expected = { topic: TOPIC, groupId: TOPIC, trained: voteIds(0, 24), letters: 1 }
  await expectUnharmed(daemon, client, connection, expected)
})
