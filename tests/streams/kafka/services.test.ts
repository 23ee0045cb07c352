import kafkajs, { type PartitionAssigner } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createClient, NO_RETRY } from '../../../src/streams/kafka/client.js'
import { clusterOf } from '../../../src/streams/kafka/inside.js'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import type { KafkaLogOptions } from '../../../src/streams/kafka/options.js'
import { decoderOf, encoder, sendRaw } from '../../../src/streams/kafka/protocol.js'
import { type Broker, startBroker } from '../../support/kafka-broker.js'
import { API, type Interference, KafkaProxy, type ProxiedRequest } from '../../support/kafka-proxy.js'
import { type committedOrStart, OtherClient, Reading, until } from '../../support/kafka-reading.js'

/** A real broker behind a proxy that leaves out and refuses what hosted services do. */
let proxy: KafkaProxy
let broker: Broker
let other: OtherClient
let topics = 0
const open: KafkaFeedbackLog[] = []

beforeAll(async () => {
  proxy = await KafkaProxy.start()
  const properties = {
    'advertised.listeners': `CLIENT://${proxy.bootstrap}`,
    'transaction.abort.timed.out.transaction.cleanup.interval.ms': '1000',
  }
  broker = await startBroker({ properties })
  proxy.leadsTo(broker.port)
  other = await OtherClient.connect(proxy.bootstrap)
  await other.topic('letters')
})

afterEach(async () => {
  proxy.reset()
  await Promise.all(open.splice(0).map((log) => log.close()))
})

afterAll(async () => {
  await other?.close()
  await broker?.stop()
  await proxy?.close()
})

const { AssignerProtocol, Kafka, logLevel, PartitionAssigners } = kafkajs

const newTopic = (partitions = 1, config: Record<string, string> = {}) =>
  other.topic(`feedback-${++topics}`, partitions, config)

function logOf(topic: string, options: Partial<KafkaLogOptions> = {}): KafkaFeedbackLog {
  const log = new KafkaFeedbackLog({
    ...{ brokers: [proxy.bootstrap], topic, groupId: `group-of-${topic}`, dlq: 'letters' },
    ...{ sessionTimeout: 6000, connectTimeout: 5000, ...options },
  })
  open.push(log)
  return log
}

const letter = { code: 'C', message: 'm', stage: 's' }

describe('a service without an API that only helps', () => {
  const HELPING = [API.describeConfigs, API.createTopics, API.describeGroups]
  const helps = ({ apiKey }: ProxiedRequest) => HELPING.includes(apiKey)
  const refuseAll = (how: Interference) => () => {
    proxy.request = (request) => (helps(request) ? how : null)
  }
  const refuseConfigs = (error: number) => () => {
    proxy.request = ({ apiKey }) => (apiKey === API.describeConfigs ? described(error) : null)
  }

  const leaveOut = () => {
    for (const api of HELPING) proxy.newest.set(api, -1)
  }

  test.each([
    ['leaves it out of its list', leaveOut],
    ['closes the connection', refuseAll('close')],
    ['answers CLUSTER_AUTHORIZATION_FAILED', refuseConfigs(31)],
    ['answers UNSUPPORTED_VERSION', refuseConfigs(35)],
    [
      'does not answer',
      () => {
        proxy.request = ({ apiKey }) => (apiKey === API.describeConfigs ? 'silence' : null)
      },
    ],
  ])('is read, and letters are written with the default limit: it %s', async (_, interfere) => {
    const topic = await newTopic(1, { 'retention.ms': '86400000' })
    await other.count(topic, 0, 1)
    interfere()
    const log = logOf(topic)
    expect(await log.members()).toBe(0)
    const reading = new Reading(log)
    await until(() => reading.records.length === 1)
    await log.writeDeadLetters([{ record: reading.records[0]!, ...letter }])
    await log.commit(new Map([[0, 1]]))
    expect(await log.retentionMs()).toBeNull()
    proxy.reset()
    expect(await other.committed(`group-of-${topic}`, topic)).toEqual({ 0: '1' })
    const letters = new Reading(logOf('letters', { groupId: `reader-${topic}`, dlq: 'letters-of-letters' }))
    await until(() => letters.records.some(({ headers }) => `${headers['bcod.error.topic']}` === topic))
  })

  test('a missing dead-letter topic is an error that says so where it cannot be created', async () => {
    const topic = await newTopic()
    proxy.request = ({ apiKey }) => (apiKey === API.createTopics ? 'close' : null)
    await expect(logOf(topic, { dlq: 'missing' }).clusterId()).rejects.toMatchObject({ code: 'KAFKA_DLQ_MISSING' })
  })

  test('a broker from before topic ids is read, and partitions that are added are found', async () => {
    proxy.newest.set(API.metadata, 6)
    const topic = await newTopic()
    await other.count(topic, 0, 1)
    const reading = new Reading(logOf(topic), known())
    await until(() => reading.records.length === 1)
    expect(reading.assignments[0]?.topicId).toBeNull()
    await grow(topic, reading)
  })
})

describe('while it is read', () => {
  test('a partition that is added is told at once and read from where it is said, within seconds', async () => {
    const topic = await newTopic()
    const reading = new Reading(logOf(topic), known())
    await until(() => reading.batches.length > 0)
    await grow(topic, reading)
    expect(reading.grown).toEqual([2])
  })

  test('a topic that was recreated is assigned again, with another id, before anything of it is read', async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 3)
    const log = logOf(topic)
    const reading = new Reading(log, known())
    await until(() => reading.records.length === 3)
    await other.admin.deleteTopics({ topics: [topic] })
    for (let created = false; !created; )
      created = await other.topic(topic).then(
        () => true,
        () => false,
      )
    const admin = await OtherClient.connect(proxy.bootstrap)
    await admin.count(topic, 100, 10)
    await admin.close()
    await until(() => reading.assignments.length === 2 || reading.error !== undefined)
    expect(reading.error).toBeUndefined()
    const [was, is] = reading.assignments.map(({ topicId }) => topicId)
    expect(is).not.toBe(was)
  })

  test('where what comes next was deleted, the positions are asked for anew', async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 3)
    const log = logOf(topic)
    const positions = new Map<number, number>()
    const reading = new Reading(
      log,
      ({ bounds }) => new Map([[0, Math.max(positions.get(0) ?? 0, bounds.get(0)!.start)]]),
    )
    await until(() => reading.records.length === 3)
    positions.set(0, 3)
    log.pause()
    await other.count(topic, 3, 5)
    await other.admin.fetchTopicOffsets(topic)
    await other.admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '6' }] })
    log.resume()
    await until(() => reading.values.includes('7') || reading.error !== undefined)
    expect(reading.error).toBeUndefined()
    expect(reading.assignments.at(-1)?.bounds.get(0)).toEqual({ start: 6, end: 8 })
    expect(reading.values.slice(-2)).toEqual(['6', '7'])
  })

  test('behind an open transaction the end of what can be read and the end of the log are told apart', async () => {
    const topic = await newTopic()
    await other.count(topic, 0, 3)
    const transaction = await other.open(topic, ['3', '4'])
    const reading = new Reading(logOf(topic))
    await until(() => reading.batches.some(({ readableEnd, logEnd }) => readableEnd === 3 && logEnd === 5))
    const [assignment] = reading.assignments
    expect(assignment?.bounds.get(0)).toEqual({ start: 0, end: 3 })
    expect(assignment?.logEnds?.get(0)).toBe(5)
    expect(reading.batches.at(-1)).toMatchObject({ nextOffset: 3, readableEnd: 3, logEnd: 5 })
    await transaction.commit()
    // two votes and the marker of the commit
    await until(() => reading.batches.at(-1)?.readableEnd === 6)
    expect(reading.values).toEqual(['0', '1', '2', '3', '4'])
  })
})

describe('a start says what is the matter', () => {
  test('a partition without leader', async () => {
    const topic = await newTopic()
    proxy.answer = ({ apiKey, apiVersion }, body) => {
      if (apiKey === API.metadata) withoutLeader(body, topic, apiVersion)
      return body
    }
    const start = logOf(topic, { connectTimeout: 1500 }).clusterId()
    await expect(start).rejects.toMatchObject({ code: 'KAFKA_LEADER_MISSING', place: topic })
    await expect(start).rejects.toThrow('partition 0')
  })

  test('members of the new group protocol are other programs, and are named before the group is joined', async () => {
    const topic = await newTopic(2)
    const log = logOf(topic)
    const { leave } = await newProtocolMember(`group-of-${topic}`, topic)
    await expect(log.members()).rejects.toMatchObject({ code: 'KAFKA_GROUP_SHARED', place: `group-of-${topic}` })
    await expect(log.members()).rejects.toThrow('KIP-848')
    await leave()
    expect(await log.members()).toBe(0)
  })

  test('members that share partitions in another way', async () => {
    const topic = await newTopic()
    const groupId = `group-of-${topic}`
    const range: PartitionAssigner = (config) => ({ ...PartitionAssigners.roundRobin(config), ...RANGE })
    const kafka = new Kafka({ brokers: [proxy.bootstrap], logLevel: logLevel.NOTHING })
    const consumer = kafka.consumer({ groupId, partitionAssigners: [range] })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic] })
    const joined = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve))
    await consumer.run({ eachBatch: async () => undefined })
    await joined
    const reading = new Reading(logOf(topic))
    await until(() => reading.error !== undefined)
    expect(reading.error).toMatchObject({ code: 'KAFKA_GROUP_SHARED', place: groupId })
    await consumer.disconnect()
  })

  test('an advertised address that does not answer, and which broker named it', async () => {
    const topic = await newTopic()
    const behind = await KafkaProxy.start()
    behind.leadsTo(broker.port)
    // the first broker answers; the address that it names, the proxy's, has gone
    const gone = await KafkaProxy.start()
    await gone.close()
    behind.answer = ({ apiKey, apiVersion }, body) => {
      if (apiKey === API.metadata) advertise(body, gone.port, apiVersion)
      return body
    }
    const start = logOf(topic, { brokers: [behind.bootstrap], connectTimeout: 2000 }).clusterId()
    const place = `127.0.0.1:${gone.port}`
    await expect(start).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE', place })
    await expect(start).rejects.toThrow(behind.bootstrap)
    await expect(start).rejects.toMatchObject({ remedy: expect.stringContaining('advertised.listeners') })
    await behind.close()
  })
})

const RANGE = {
  name: 'range',
  protocol: ({ topics }: { topics: string[] }) => ({
    name: 'range',
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics, userData: Buffer.alloc(0) }),
  }),
}

/** Joins a group with `group.protocol=consumer`: https://kafka.apache.org/protocol.html, ConsumerGroupHeartbeat 0. */
async function newProtocolMember(groupId: string, topic: string): Promise<{ leave(): Promise<void> }> {
  const cluster = clusterOf(createClient({ brokers: [proxy.bootstrap] }, NO_RETRY, new AbortController().signal))
  await cluster.connect()
  await cluster.addTargetTopic(topic)
  const coordinator = await cluster.findGroupCoordinator({ groupId })
  const heartbeat = (memberId: string, epoch: number) =>
    sendRaw(coordinator, {
      ...{ apiKey: 68, apiVersion: 0, apiName: 'ConsumerGroupHeartbeat' },
      encode: () => {
        const head = encoder().writeUVarInt(0).writeUVarIntString(groupId).writeUVarIntString(memberId)
        const timed = head.writeInt32(epoch).writeUVarInt(0).writeUVarInt(0).writeInt32(30_000)
        const subscribed = timed.writeUVarInt(2).writeUVarIntString(topic)
        // no assignor of its own, no partitions yet, no tags
        return subscribed.writeUVarInt(0).writeUVarInt(1).writeUVarInt(0)
      },
      decode: (bytes) => {
        const decoder = decoderOf(bytes)
        decoder.readTaggedFields()
        decoder.readInt32()
        const error = decoder.readInt16()
        decoder.readUVarIntString()
        return { error, memberId: decoder.readUVarIntString() ?? '' }
      },
    })
  const { error, memberId } = await heartbeat('', 0)
  expect(error).toBe(0)
  const LEAVE = -1
  return {
    leave: async () => {
      await heartbeat(memberId, LEAVE)
      await cluster.disconnect()
    },
  }
}

/** DescribeConfigs, versions 0 to 2: one resource, refused with this code. */
function described(error: number): Buffer {
  const body = Buffer.alloc(4 + 4 + 2 + 2 + 1 + 2 + 4)
  body.writeInt32BE(1, 4) // resources
  body.writeInt16BE(error, 8)
  body.writeInt16BE(-1, 10) // no message
  body.writeInt8(2, 12) // a topic
  return body // of an empty name, without entries
}

/** Metadata of a topic of one partition, versions 5 to 10: error 5 (LEADER_NOT_AVAILABLE), leader −1. */
function withoutLeader(body: Buffer, topic: string, apiVersion: number): void {
  const name = body.indexOf(topic)
  if (name < 0) return
  // after the name: from version 10 on an id; whether it is internal; the number of partitions
  const partition = name + topic.length + (apiVersion >= 10 ? 16 + 1 + 1 : 1 + 4)
  body.writeInt16BE(5, partition)
  body.writeInt32BE(-1, partition + 6)
}

/** Metadata, versions 5 to 10: the port of the first broker. */
function advertise(body: Buffer, port: number, apiVersion: number): void {
  const host = body.indexOf('127.0.0.1')
  expect(apiVersion).toBeGreaterThan(4)
  body.writeInt32BE(port, host + '127.0.0.1'.length)
}

/** Reads on from where the test's own process stands. */
function known() {
  const next = new Map<number, number>()
  const positions: typeof committedOrStart = ({ partitions }) => new Map(partitions.map((p) => [p, next.get(p) ?? 0]))
  return positions
}

async function grow(topic: string, reading: Reading): Promise<void> {
  await other.admin.createPartitions({ topicPartitions: [{ topic, count: 2 }] })
  const admin = await OtherClient.connect(proxy.bootstrap)
  await admin.send(topic, [{ value: 'early', partition: 1 }])
  await admin.close()
  await until(() => reading.values.includes('early'))
  expect(reading.assignments.at(-1)).toMatchObject({ total: 2 })
  expect([...(reading.assignments.at(-1)?.partitions ?? [])].sort()).toEqual([0, 1])
}
