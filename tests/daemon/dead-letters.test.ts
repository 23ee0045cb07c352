import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { type SecureBroker, startSecureBroker, USERS } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { spoiltModel } from '../support/spoilt-model.js'
import { byName, eventually, offsetsOf, readLetters, trainedIds, vote, voteIds, votes } from './feedback.js'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs
const directory = mkdtempSync(join(tmpdir(), 'bcod-letters-'))
let broker: SecureBroker
let client: OtherClient

const sasl = { mechanism: 'scram-sha-512', username: 'admin', password: USERS.admin } as const

beforeAll(async () => {
  broker = await startSecureBroker(directory)
  client = await OtherClient.connect(broker.bootstrap, { ssl: { ca: broker.ca }, sasl })
})
afterAll(async () => {
  await client?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const daemonOn = async (topic: string, settings: Readonly<Record<string, unknown>> = {}) => {
  const daemon = await DaemonProcess.create(join(directory, topic), {
    ...{ 'stream.brokers': [broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'stream.sasl.mechanism': 'scram-sha-512', 'stream.sasl.username': 'admin' },
    ...{
      'stream.sasl.password': USERS.admin,
      'stream.tls.enabled': true,
      'stream.tls.ca': join(directory, 'cert.pem'),
    },
    ...{ 'batch.maxLatency': '200ms', 'checkpoint.every': '300ms' },
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  return daemon
}

/** Gives the user `reader` a right. */
const grant = (resourceType: number, resourceName: string, operation: number) =>
  client.admin.createAcls({
    acl: [
      {
        ...{ resourceType, resourceName, operation, resourcePatternType: ResourcePatternTypes.LITERAL },
        ...{ principal: 'User:reader', host: '*', permissionType: AclPermissionTypes.ALLOW },
      },
    ],
  })

const letters = (topic: string) =>
  readLetters(client, topic, { brokers: [broker.bootstrap], tls: { enabled: true, ca: broker.ca }, sasl })

const bad = (index: number) => ({
  key: `bad-${index}`,
  value: `not json ${index}`,
  headers: { ['__proto__']: 'a', constructor: 'b', twice: ['x', 'y'] },
})

test('while the dead-letter topic takes nothing, letters wait, reading pauses at their bound, a kill -9 loses none, and all are written once it does', async () => {
  await client.topic('down')
  await client.topic('down.dlq')
  await grant(AclResourceTypes.TOPIC, 'down', AclOperationTypes.READ)
  await grant(AclResourceTypes.GROUP, 'down', AclOperationTypes.READ)
  await grant(AclResourceTypes.TOPIC, 'down.dlq', AclOperationTypes.DESCRIBE)
  await client.send('down', [...votes(0, 4), ...Array.from({ length: 6 }, (_, i) => bad(i)), ...votes(4, 4)])

  const daemon = await daemonOn('down', {
    ...{ 'stream.deadLetterBuffer': 5, 'stream.sasl.username': 'reader', 'stream.sasl.password': USERS.reader },
  })
  daemon.start()
  await daemon.until((status) => status.dead_letters_waiting === 5 && status.waiting === 0 && status.step > 0)
  await daemon.until(({ paused, state }) => paused && state === 'paused')
  await client.send('down', votes(8, 4))
  await daemon.says(/"code":"KAFKA_NOT_AUTHORIZED"/)
  await sleep(1000) // a checkpoint holds the letters now
  const { step, lag } = (await daemon.status())!
  await eventually(async () => (await client.committed('down', 'down'))[0] === '4')
  expect(lag[0]).toBeGreaterThanOrEqual(10)
  await daemon.kill()

  daemon.start()
  const again = await daemon.until(({ state }) => state === 'running' || state === 'paused')
  expect(again.dead_letters_waiting).toBe(5)
  expect(daemon.journal().length).toBe(step)
  await grant(AclResourceTypes.TOPIC, 'down.dlq', AclOperationTypes.WRITE)
  await daemon.until((status) => settled(status) && status.step > step)
  expect(await daemon.stop()).toBe(0)
  expect(daemon.log).not.toContain(USERS.admin)
  expect(daemon.log).not.toContain(USERS.reader)

  const written = await letters('down.dlq')
  expect(written.map(({ id, code, key, value }) => [id, code, key, value.toString()])).toEqual(
    Array.from({ length: 6 }, (_, i) => [`down-0-${4 + i}`, 'FEEDBACK_NOT_JSON', `bad-${i}`, `not json ${i}`]),
  )
  for (const { headers } of written) {
    expect(Object.entries(headers)).toContainEqual(['__proto__', 'a'])
    expect(Object.entries(headers)).toContainEqual(['constructor', 'b'])
    expect(headers.twice).toBe('y')
  }
  expect(trainedIds(daemon.journal()).sort(byName)).toEqual(voteIds(0, 12))
  const { end, committed } = await offsetsOf(client, 'down', 'down')
  expect(committed).toEqual(end)
})

test('a vote whose log-probability is not a number becomes a dead letter, the rest of its step trains, its offset is committed', async () => {
  const spoilt = 150
  const model = spoiltModel(join(directory, 'spoilt'), spoilt, Number.NaN)
  const sound = (index: number) => vote(index, { promptTokens: [5, 6, 7 + index], completionTokens: [9, 10 + index] })
  const culprit = (index: number) => vote(index, { promptTokens: [5, spoilt, 7], completionTokens: [9, 10] })
  await client.topic('spoilt')
  await client.send('spoilt', [sound(0), sound(1), culprit(2), sound(3)])
  const daemon = await daemonOn('spoilt', { 'model.path': model, 'batch.size': 4, 'batch.stratify': false })
  daemon.start()
  await daemon.until((status) => settled(status) && status.step === 1)
  await expect.poll(() => daemon.metric('bcod_dead_letters_total{code="TRAIN_NONFINITE"}')).toBe(1)
  await expect.poll(() => daemon.metric('bcod_quarantined_events_total')).toBe(1)
  await expect.poll(() => daemon.metric('bcod_nonfinite_steps_total')).toBe(1)

  // a step of nothing else
  await client.send('spoilt', [culprit(4)])
  await daemon.until((status) => settled(status) && status.lag[0] === 0)
  await eventually(async () => (await daemon.metric('bcod_quarantined_events_total')) === 2)
  await daemon.until(settled)
  expect(await daemon.stop()).toBe(0)
  expect(daemon.log).not.toContain(USERS.admin)
  expect(daemon.log).not.toContain(USERS.reader)

  const written = await letters('spoilt.dlq')
  expect(written.map(({ id, code, stage, key }) => [id, code, stage, key])).toEqual([
    ['spoilt-0-2', 'TRAIN_NONFINITE', 'train', 'answer-2'],
    ['spoilt-0-4', 'TRAIN_NONFINITE', 'train', 'answer-4'],
  ])
  expect(JSON.parse(written[0]!.value.toString())).toMatchObject({
    ...{ id: 'vote-2', subject: 'answer-2' },
    data: { prompt_tokens: [5, spoilt, 7], completion_tokens: [9, 10] },
  })
  const [line, ...more] = daemon.journal()
  expect(more).toEqual([])
  expect(trainedIds([line!])).toEqual(['vote-0', 'vote-1', 'vote-3'])
  expect(line!.quarantined).toEqual([{ topic: 'spoilt', partition: 0, offset: 2 }])
  expect((await offsetsOf(client, 'spoilt', 'spoilt')).committed).toEqual({ 0: '5' })
})
