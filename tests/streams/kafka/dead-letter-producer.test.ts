import { createHash } from 'node:crypto'
import { beforeAll, expect, test } from 'vitest'
import type { LogRecord } from '../../../src/events/types.js'
import type { ReadRecord } from '../../../src/streams/headers.js'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import { type OtherClient, Reading, until } from '../../support/kafka-reading.js'
import { TestBroker } from '../../support/test-broker.js'

const kafka = new TestBroker('dead-letters')
let other: OtherClient

beforeAll(() => {
  other = kafka.client
})

const logOf = (topic: string) =>
  new KafkaFeedbackLog({ brokers: [kafka.broker.bootstrap], topic, groupId: topic, sessionTimeout: 6000 })

const because = (record: LogRecord) => ({ record, code: 'FEEDBACK_NOT_JSON', message: 'expected {', stage: 'decode' })

async function readAll(topic: string, count: number): Promise<LogRecord[]> {
  const log = logOf(topic)
  const reading = new Reading(log)
  await until(() => reading.records.length >= count)
  await log.close()
  return reading.records
}

const text = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString()
const hex = (bytes: Uint8Array | null | undefined) => Buffer.from(bytes ?? []).toString('hex')

test('keeps key, value and headers to the byte, in order, and says where and why', async () => {
  const topic = await other.topic('raw')
  await other.send(topic, [
    {
      key: Buffer.from([0xff, 0]),
      value: Buffer.from([0, 0x80, 0xfe]),
      headers: { ce_id: 'a', twice: ['x', 'y'], 2500: 'z' },
    },
    { key: null, value: null },
  ])
  const records = await readAll(topic, 2)
  const log = logOf(topic)
  await log.writeDeadLetters(records.map(because))
  await log.close()

  const [first, second] = await readAll('raw.dlq', 2)
  expect([hex(first?.key), hex(first?.value)]).toEqual(['ff00', '0080fe'])
  expect(Object.fromEntries(Object.entries(first?.headers ?? {}).map(([name, value]) => [name, text(value)]))).toEqual({
    ce_id: 'a',
    twice: 'y',
    'bcod.error.id': 'raw-0-0',
    'bcod.error.code': 'FEEDBACK_NOT_JSON',
    'bcod.error.message': 'expected {',
    'bcod.error.stage': 'decode',
    'bcod.error.topic': 'raw',
    'bcod.error.partition': '0',
    'bcod.error.offset': '0',
  })
  const twice = new Map((first as ReadRecord).rawHeaders).get('twice') as Buffer[]
  expect(twice.map(text)).toEqual(['x', 'y'])
  expect(text(new Map((first as ReadRecord).rawHeaders).get('2500') as Buffer)).toBe('z')
  expect([second?.key, second?.value, text(second?.headers['bcod.error.id'])]).toEqual([null, null, 'raw-0-1'])
})

test('a missing dead-letter topic is created with one partition', async () => {
  const topic = await other.topic('fresh', 3)
  const log = logOf(topic)
  await log.clusterId()
  await log.close()
  const { topics } = await other.admin.fetchTopicMetadata({ topics: ['fresh.dlq'] })
  expect(topics[0]?.partitions.length).toBe(1)
})

test('a topic that is deleted while letters are written is created again', { timeout: 20_000 }, async () => {
  const topic = await other.topic('deleted')
  await other.send(topic, [{ value: 'x' }])
  const [record] = await readAll(topic, 1)
  const log = logOf(topic)
  await log.writeDeadLetters([because(record!)])
  await other.admin.deleteTopics({ topics: ['deleted.dlq'] })
  await log.writeDeadLetters([because(record!)])
  await log.close()
  expect(text((await readAll('deleted.dlq', 1))[0]?.value)).toBe('x')
})

test('a value too large for the topic is cut and leaves its length and hash', async () => {
  const topic = await other.topic('large', 1, { 'max.message.bytes': '2000000' })
  await other.topic('large.dlq', 1, { 'max.message.bytes': '20000' })
  const value = Buffer.alloc(1_500_000, 'abcdefghij')
  await other.send(topic, [{ key: 'k', value, headers: { ce_id: 'a' } }])
  const [record] = await readAll(topic, 1)
  const log = logOf(topic)
  await log.writeDeadLetters([because(record!)])
  await log.close()

  const [letter] = await readAll('large.dlq', 1)
  const kept = letter?.value?.length ?? 0
  expect(kept).toBeGreaterThan(18_000)
  expect(hex(letter?.value)).toBe(hex(value.subarray(0, kept)))
  expect([text(letter?.key), text(letter?.headers.ce_id)]).toEqual(['k', 'a'])
  expect(text(letter?.headers['bcod.error.value.length'])).toBe('1500000')
  expect(text(letter?.headers['bcod.error.value.sha256'])).toBe(createHash('sha256').update(value).digest('hex'))
})

test('a limit that shrank since it was learnt is found out, and nothing is left out or doubled', async () => {
  const topic = await other.topic('shrunk')
  await other.topic('shrunk.dlq')
  await other.send(
    topic,
    Array.from({ length: 30 }, (_, i) => ({ value: String(i).padEnd(3000, '.') })),
  )
  const records = await readAll(topic, 30)
  const log = logOf(topic)
  await log.writeDeadLetters([because(records[0]!)])
  await other.admin.alterConfigs({
    validateOnly: false,
    resources: [{ type: 2, name: 'shrunk.dlq', configEntries: [{ name: 'max.message.bytes', value: '5000' }] }],
  })
  await log.writeDeadLetters(records.slice(1).map(because))
  await log.close()
  const letters = await readAll('shrunk.dlq', 30)
  expect(letters.map((each) => text(each.headers['bcod.error.offset']))).toEqual(
    records.map(({ offset }) => `${offset}`),
  )
})

test('many letters go out in batches that fit the topic', async () => {
  const topic = await other.topic('many')
  await other.topic('many.dlq', 1, { 'max.message.bytes': '10000' })
  await other.send(
    topic,
    Array.from({ length: 200 }, (_, i) => ({ value: `${i}`.padEnd(1 + (i % 7) * 300, '.') })),
  )
  const records = await readAll(topic, 200)
  const log = logOf(topic)
  await log.writeDeadLetters(records.map(because))
  await log.close()
  const letters = await readAll('many.dlq', 200)
  expect(letters.map(({ value }) => text(value))).toEqual(records.map(({ value }) => text(value)))
})
