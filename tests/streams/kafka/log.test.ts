import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import type { KafkaLogOptions } from '../../../src/streams/kafka/options.js'
import { FeedbackProducer } from '../../../src/streams/kafka/producer.js'
import { CLUSTER_ID } from '../../support/kafka-broker.js'
import { type OtherClient, Reading, until } from '../../support/kafka-reading.js'
import { TestBroker } from '../../support/test-broker.js'

const kafka = new TestBroker('log')
let other: OtherClient
let topics = 0
const open: KafkaFeedbackLog[] = []

beforeAll(() => {
  other = kafka.client
})

afterEach(async () => {
  await Promise.all(open.splice(0).map((log) => log.close()))
})

const newTopic = (partitions = 1, config: Record<string, string> = {}) =>
  other.topic(`log-${++topics}`, partitions, config)

function logOf(topic: string, options: Partial<KafkaLogOptions> = {}): KafkaFeedbackLog {
  const log = new KafkaFeedbackLog({
    brokers: [kafka.broker.bootstrap],
    topic,
    groupId: `group-of-${topic}`,
    dlq: 'letters',
    sessionTimeout: 6000,
    connectTimeout: 5000,
    ...options,
  })
  open.push(log)
  return log
}

/** Joins the topic's group, commits and leaves. */
async function groupStandsAt(topic: string, partition: number, offset: number): Promise<void> {
  const log = logOf(topic)
  const reading = new Reading(log)
  await until(() => reading.batches.length > 0)
  await log.commit(new Map([[partition, offset]]))
  await log.close()
}

const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => String(from + i))
const inOrder = (values: readonly string[]) => [...values].sort((a, b) => Number(a) - Number(b))

test('tells how long the topic keeps a record, and nothing where age deletes none', async () => {
  const kept = async (name: string, config: Record<string, string>) => {
    await other.topic(name, 1, config)
    return logOf(name).retentionMs()
  }
  expect(await kept('for-a-day', { 'retention.ms': '86400000' })).toBe(86_400_000)
  expect(await kept('for-ever', { 'retention.ms': '-1' })).toBeNull()
  expect(await kept('compacted', { 'cleanup.policy': 'compact', 'retention.ms': '86400000' })).toBeNull()
})

describe('reading', () => {
  test('hands on every record once, in order, with its position, broker time, key and headers', async () => {
    const topic = await newTopic()
    await other.send(topic, [
      {
        key: 'subject-1',
        value: Buffer.from([0, 255, 10]),
        headers: { ce_id: 'a', many: ['x', 'y'] },
        timestamp: '1700000000123',
      },
      { key: null, value: null },
    ])
    const log = logOf(topic)
    const reading = new Reading(log)
    await until(() => reading.records.length === 2)

    const [first, second] = reading.records
    expect(first).toMatchObject({ topic, partition: 0, offset: 0, timestamp: 1700000000123 })
    expect(Buffer.from(first?.key ?? []).toString()).toBe('subject-1')
    expect([...(first?.value ?? [])]).toEqual([0, 255, 10])
    expect(Buffer.from(first?.headers.ce_id ?? []).toString()).toBe('a')
    expect(Buffer.from(first?.headers.many ?? []).toString()).toBe('y')
    expect(second).toMatchObject({ offset: 1, key: null, value: null })
    expect(reading.batches[0]).toMatchObject({ partition: 0, nextOffset: 2, logEnd: 2 })
  })

  test('tells each assignment its partitions, bounds and committed offsets', async () => {
    const topic = await newTopic(3)
    await other.count(topic, 0, 30, 3)
    await groupStandsAt(topic, 1, 4)
    await other.admin.fetchTopicOffsets(topic)
    await other.admin.deleteTopicRecords({ topic, partitions: [{ partition: 2, offset: '3' }] })
    const reading = new Reading(logOf(topic))
    await until(() => reading.records.length === 10 + 6 + 7)

    const [assignment] = reading.assignments
    expect([...(assignment?.partitions ?? [])].sort()).toEqual([0, 1, 2])
    expect(assignment?.total).toBe(3)
    expect(assignment?.bounds.get(0)).toEqual({ start: 0, end: 10 })
    expect(assignment?.bounds.get(2)).toEqual({ start: 3, end: 10 })
    expect([...(assignment?.committed ?? [])]).toEqual([[1, 4]])
  })

  test('starts at the positions that it is given, not at the group offsets', async () => {
    const topic = await newTopic(2)
    await other.count(topic, 0, 20, 2)
    await groupStandsAt(topic, 0, 10)
    const reading = new Reading(
      logOf(topic),
      () =>
        new Map([
          [0, 7],
          [1, 9],
        ]),
    )
    await until(() => reading.records.length === 4)
    await sleep(300)
    expect(inOrder(reading.values)).toEqual(['14', '16', '18', '19'])
  })

  test('reads everything once while a second member joins and leaves', { timeout: 40_000 }, async () => {
    const topic = await newTopic(4)
    const total = 4000
    const seen: string[] = []
    const next = new Map<number, number>()
    // the members share their positions, as a checkpoint would carry them over
    const positionsFor = ({ partitions }: { partitions: readonly number[] }) =>
      new Map(partitions.map((p) => [p, next.get(p) ?? 0]))
    const follow = (log: KafkaFeedbackLog) => {
      const reading = new Reading(log, positionsFor)
      reading.batches.push = (...batches) => {
        for (const batch of batches) {
          next.set(batch.partition, batch.nextOffset)
          seen.push(...batch.records.map(({ value }) => Buffer.from(value ?? []).toString()))
        }
        return 0
      }
      return reading
    }
    const producing = (async () => {
      for (let at = 0; at < total; at += 100) {
        await other.count(topic, at, 100, 4)
        await sleep(40)
      }
    })()
    const first = follow(logOf(topic))
    await until(() => seen.length > 300)
    const secondLog = logOf(topic)
    const second = follow(secondLog)
    await until(() => second.assignments.some(({ partitions }) => partitions.length === 2))
    await until(() => first.assignments.some(({ partitions }) => partitions.length === 2))
    expect(first.revocations).toBeGreaterThan(0)
    await sleep(300)
    second.leave()
    await secondLog.close()
    await producing
    await until(() => seen.length >= total)
    await until(() => first.assignments.at(-1)?.partitions.length === 4)
    await sleep(300)
    expect(inOrder(seen)).toEqual(numbers(total))
    expect([first.error, second.error]).toEqual([undefined, undefined])
  })

  test('reports an assignment of no partitions', { timeout: 20_000 }, async () => {
    const topic = await newTopic(1)
    const readings = [new Reading(logOf(topic)), new Reading(logOf(topic))]
    await until(() => readings.some(({ assignments }) => assignments.at(-1)?.partitions.length === 0))
    const idle = readings.find(({ assignments }) => assignments.at(-1)?.partitions.length === 0)
    expect(idle?.assignments.at(-1)).toMatchObject({ partitions: [], total: 1 })
  })

  test('moves past records of transactions, aborted ones included, to the end of the log', {
    timeout: 20_000,
  }, async () => {
    const topic = await newTopic()
    await other.transaction(topic, ['kept'], 'commit')
    await other.transaction(topic, ['void', 'void'], 'abort')
    const reading = new Reading(logOf(topic))
    // 1 record and its marker, 2 records and theirs
    await until(() => reading.next.get(0) === 5)
    expect(reading.values).toEqual(['kept'])
    await other.send(topic, [{ value: 'after' }])
    await until(() => reading.records.length === 2)
    expect(reading.values).toEqual(['kept', 'after'])
  })

  test('leaves out transactions that were aborted in another order than they began, and takes no key for a marker', {
    timeout: 20_000,
  }, async () => {
    const topic = await newTopic()
    const marked = { key: Buffer.alloc(4), value: 'void' }
    const first = await other.open(topic, ['void'], '-first')
    const second = await other.open(topic, ['void'], '-second')
    await first.send([marked, { value: 'void' }])
    await second.abort()
    await first.send([{ value: 'void' }])
    await first.abort()
    const third = await other.open(topic, ['kept'], '-first')
    await third.send([{ ...marked, value: 'kept as well' }])
    await third.commit()
    const reading = new Reading(logOf(topic))
    // seven records and three markers
    await until(() => reading.next.get(0) === 10)
    expect(reading.values).toEqual(['kept', 'kept as well'])
  })

  test('a rejection of positionsFor ends the stream with that error', async () => {
    const topic = await newTopic()
    const refusal = new Error('no such checkpoint')
    const reading = new Reading(logOf(topic), () => Promise.reject(refusal))
    await until(() => reading.error !== undefined)
    expect(reading.error).toBe(refusal)
  })

  test('an offset that the log no longer holds ends the stream and leaves the group offset alone', async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 10)
    await groupStandsAt(topic, 0, 4)
    const reading = new Reading(logOf(topic), () => new Map([[0, 50]]))
    await until(() => reading.error !== undefined)
    expect(reading.error).toMatchObject({ code: 'KAFKA_OFFSET_OUT_OF_RANGE', place: `${topic}-0` })
    expect(await other.committed(`group-of-${topic}`, topic)).toEqual({ 0: '4' })
  })

  test('can be read again after leaving', { timeout: 20_000 }, async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 5)
    const log = logOf(topic)
    const first = new Reading(log)
    await until(() => first.records.length === 5)
    first.leave()
    const second = new Reading(log)
    await until(() => second.records.length === 5)
    expect(first.revocations).toBe(1)
  })
})

describe('pause', () => {
  test('stops fetching and resume goes on where it stopped', async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 10)
    const log = logOf(topic)
    const reading = new Reading(log)
    await until(() => reading.records.length === 10)
    log.pause()
    await other.count(topic, 10, 10)
    await sleep(700)
    expect(reading.records.length).toBe(10)
    log.resume()
    await until(() => reading.records.length === 20)
    expect(reading.values).toEqual(numbers(20))
  })

  test('lasts through a rebalance', { timeout: 20_000 }, async () => {
    const topic = await newTopic(2)
    const [log, second] = [logOf(topic), logOf(topic)]
    log.pause()
    const reading = new Reading(
      log,
      () =>
        new Map([
          [0, 0],
          [1, 0],
        ]),
    )
    await until(() => reading.assignments.length === 1)
    const other2 = new Reading(second)
    await until(() => reading.assignments.length === 2)
    other2.leave()
    await until(() => reading.assignments.at(-1)?.partitions.length === 2)
    await other.count(topic, 0, 20, 2)
    await sleep(500)
    expect(reading.records).toEqual([])
    log.resume()
    await until(() => reading.records.length === 20)
  })
})

describe('commit', () => {
  test('shows as the group offset', async () => {
    const topic = await newTopic(2)
    await other.count(topic, 0, 20, 2)
    const log = logOf(topic)
    const reading = new Reading(log)
    await until(() => reading.records.length === 20)
    await log.commit(
      new Map([
        [0, 6],
        [1, 10],
      ]),
    )
    expect(await other.committed(`group-of-${topic}`, topic)).toEqual({ 0: '6', 1: '10' })
  })

  test('is refused for a partition that another member has, and does not overwrite its offset', {
    timeout: 30_000,
  }, async () => {
    const topic = await newTopic(2)
    await other.count(topic, 0, 20, 2)
    const [firstLog, secondLog] = [logOf(topic), logOf(topic)]
    const first = new Reading(firstLog)
    await until(() => first.records.length === 20)
    const second = new Reading(secondLog)
    await until(() => second.assignments.at(-1)?.partitions.length === 1)
    await until(() => first.assignments.at(-1)?.partitions.length === 1)
    const taken = second.assignments.at(-1)?.partitions[0] ?? -1
    await until(() => second.next.get(taken) === 10)
    await secondLog.commit(new Map([[taken, 9]]))
    await expect(firstLog.commit(new Map([[taken, 3]]))).rejects.toMatchObject({
      code: 'KAFKA_ASSIGNMENT_LOST',
      place: `${topic}-${taken}`,
    })
    expect((await other.committed(`group-of-${topic}`, topic))[taken]).toBe('9')
  })

  test('is refused before the first assignment and after leaving', async () => {
    const topic = await newTopic()
    const log = logOf(topic)
    await expect(log.commit(new Map([[0, 0]]))).rejects.toMatchObject({ code: 'KAFKA_ASSIGNMENT_LOST' })
    const reading = new Reading(log)
    await until(() => reading.assignments.length === 1)
    reading.leave()
    await expect(log.commit(new Map([[0, 0]]))).rejects.toMatchObject({ code: 'KAFKA_ASSIGNMENT_LOST' })
  })

  test('refuses what is no offset', async () => {
    const topic = await newTopic()
    const log = logOf(topic)
    const reading = new Reading(log)
    await until(() => reading.assignments.length === 1)
    await sleep(100)
    for (const offset of [-1, 0.5, 2 ** 53])
      await expect(log.commit(new Map([[0, offset]]))).rejects.toMatchObject({ code: 'INTERNAL' })
  })
})

describe('recordAt', () => {
  test('reads one record apart from the stream, without a trace in the group', async () => {
    const topic = await newTopic(2)
    await other.count(topic, 0, 20, 2)
    const log = logOf(topic)
    const record = await log.recordAt(1, 3)
    expect(record).toMatchObject({ topic, partition: 1, offset: 3 })
    expect(Buffer.from(record?.value ?? []).toString()).toBe('7')
    const { groups } = await other.admin.listGroups()
    expect(groups.map(({ groupId }) => groupId)).not.toContain(`group-of-${topic}`)
  })

  test('is null before the start, at the end, and in a partition that does not exist', async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 10)
    await other.admin.fetchTopicOffsets(topic)
    await other.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '4' }] })
    const log = logOf(topic)
    expect(await log.recordAt(0, 3)).toBeNull()
    expect(await log.recordAt(0, 10)).toBeNull()
    expect(await log.recordAt(0, 11)).toBeNull()
    expect(await log.recordAt(5, 0)).toBeNull()
    expect(await log.recordAt(0, 4)).toMatchObject({ offset: 4 })
  })

  test('works while positionsFor is being answered', async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 3)
    const log = logOf(topic)
    const reading = new Reading(log, async () => new Map([[0, ((await log.recordAt(0, 1))?.offset ?? 9) + 1]]))
    await until(() => reading.records.length === 1)
    expect(reading.values).toEqual(['2'])
  })
})

describe('the connection', () => {
  test('names the cluster', async () => {
    expect(await logOf(await newTopic()).clusterId()).toBe(CLUSTER_ID)
  })

  test('a missing topic is an error and is not created', async () => {
    const log = logOf('no-such-topic')
    const reading = new Reading(log)
    await until(() => reading.error !== undefined)
    expect(reading.error).toMatchObject({ code: 'KAFKA_TOPIC_MISSING', place: 'no-such-topic' })
    expect(await other.admin.listTopics()).not.toContain('no-such-topic')
  })

  test('closing completes the stream, leaves the group, and what is called later says so', async () => {
    const topic = await newTopic()
    const log = logOf(topic)
    const reading = new Reading(log)
    await until(() => reading.assignments.length === 1)
    await log.close()
    const { groups } = await other.admin.describeGroups([`group-of-${topic}`])
    expect(groups[0]?.members).toEqual([])
    expect(reading.completed).toBe(true)
    await expect(log.recordAt(0, 0)).rejects.toMatchObject({ code: 'KAFKA_CLOSED' })
  })
})

describe('the writer', () => {
  test('publishes canonical feedback, keyed by subject', async () => {
    const topic = await newTopic()
    const writer = new FeedbackProducer({ brokers: [kafka.broker.bootstrap] }, topic)
    await writer.publish([
      {
        source: 'test',
        id: 'e1',
        subject: 'completion-1',
        label: true,
        prompt: { kind: 'text', text: 'p' },
        completion: { kind: 'text', text: 'c' },
      },
    ])
    await writer.close()
    const record = await logOf(topic).recordAt(0, 0)
    expect(Buffer.from(record?.key ?? []).toString()).toBe('completion-1')
    expect(Buffer.from(record?.headers['content-type'] ?? []).toString()).toContain('application/cloudevents+json')
    expect(JSON.parse(Buffer.from(record?.value ?? []).toString())).toMatchObject({
      specversion: '1.0',
      id: 'e1',
      data: { prompt: 'p', completion: 'c', label: true },
    })
  })
})

describe('kafkajs, repaired', () => {
  test('does not spin while there is nothing to read', async () => {
    const reading = new Reading(logOf(await newTopic()))
    await until(() => reading.assignments.length === 1)
    await sleep(200)
    const timers = vi.spyOn(globalThis, 'setTimeout')
    await sleep(500)
    // unrepaired: about 800
    expect(timers.mock.calls.length).toBeLessThan(50)
    timers.mockRestore()
  })

  test('refuses a commit of a partition that the member has lost', { timeout: 20_000 }, async () => {
    const topic = await newTopic(2)
    const members = await Promise.all([other.member('g-late', topic), other.member('g-late', topic)])
    await until(() => members.every(({ partitions }) => partitions.length === 1))
    const [first, second] = members
    const taken = second?.partitions[0] ?? -1
    await expect(first?.consumer.commitOffsets([{ topic, partition: taken, offset: '3' }])).rejects.toMatchObject({
      cause: { type: 'ILLEGAL_GENERATION' },
    })
    await second?.consumer.commitOffsets([{ topic, partition: taken, offset: '5' }])
    expect((await other.committed('g-late', topic))[taken]).toBe('5')
    await Promise.all(members.map(({ consumer }) => consumer.disconnect()))
  })
})
