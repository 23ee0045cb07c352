import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import { ensureTopic } from '../../../src/streams/kafka/topics.js'
import { type Broker, startBroker } from '../../support/kafka-broker.js'
import { API, KafkaProxy } from '../../support/kafka-proxy.js'
import { OtherClient } from '../../support/kafka-reading.js'

/** A real broker behind a proxy that changes what it says of its topics. */
let proxy: KafkaProxy
let broker: Broker
let other: OtherClient

beforeAll(async () => {
  proxy = await KafkaProxy.start()
  broker = await startBroker({ properties: { 'advertised.listeners': `CLIENT://${proxy.bootstrap}` } })
  proxy.leadsTo(broker.port)
  other = await OtherClient.connect(proxy.bootstrap)
  await other.topic(OTHER)
})

afterEach(() => proxy.reset())

afterAll(async () => {
  await other?.close()
  await broker?.stop()
  await proxy?.close()
})

/** https://kafka.apache.org/protocol.html#protocol_error_codes */
const UNKNOWN_TOPIC_OR_PARTITION = 3
const LEADER_NOT_AVAILABLE = 5

/** In the list of all topics, and in no answer about one. */
const OTHER = 'another-topic'

/** From the topic's creation on, so many answers about it have the error, as those of a busy broker have. */
function afterCreating(topic: string, error: number, times = Number.POSITIVE_INFINITY) {
  let created = false
  const said = { times: 0 }
  proxy.answer = ({ apiKey, apiVersion }, body) => {
    created ||= apiKey === API.createTopics
    const isAbout = apiKey === API.metadata && created && !body.includes(OTHER)
    const name = isAbout ? body.indexOf(topic) : -1
    if (name < 0 || said.times >= times) return body
    // up to version 8 a name has two bytes of length, and the error before it
    expect(apiVersion).toBeLessThan(9)
    body.writeInt16BE(error, name - 4)
    said.times++
    return body
  }
  return said
}

const connection = () => ({ brokers: [proxy.bootstrap] })

test.each([
  ['does not know yet', UNKNOWN_TOPIC_OR_PARTITION],
  ['has no leader for yet', LEADER_NOT_AVAILABLE],
])('a topic that the broker %s is waited for, and takes records then', async (state, error) => {
  const topic = `created-${error}`
  const said = afterCreating(topic, error, 6)
  await ensureTopic(connection(), { topic, partitions: 3, config: { 'retention.ms': '3600000' } })
  expect(said.times, state).toBe(6)
  await other.count(topic, 0, 6, 3)
  expect(await other.admin.fetchTopicOffsets(topic)).toHaveLength(3)
})

test('a topic that is there is left as it is', async () => {
  await other.topic('there', 2)
  await ensureTopic(connection(), { topic: 'there', partitions: 5 })
  expect(await other.admin.fetchTopicOffsets('there')).toHaveLength(2)
})

test('a topic that the broker never knows is an error that says so, when the time is over', async () => {
  afterCreating('never-known', UNKNOWN_TOPIC_OR_PARTITION)
  const created = ensureTopic({ ...connection(), connectTimeout: 10_000 }, { topic: 'never-known' })
  await expect(created).rejects.toMatchObject({ code: 'KAFKA_LEADER_MISSING', place: 'never-known' })
})

test('a name that no topic may have is refused at once', async () => {
  const refused = ensureTopic({ ...connection(), connectTimeout: 600_000 }, { topic: 'not a name' })
  await expect(refused).rejects.toMatchObject({ code: 'KAFKA_TOPIC_MISSING', place: 'not a name' })
})

test('a dead-letter topic that the broker does not know at once is no reason to stop', async () => {
  await other.topic('feedback')
  const said = afterCreating('late-letters', UNKNOWN_TOPIC_OR_PARTITION, 14)
  const log = new KafkaFeedbackLog({ ...connection(), topic: 'feedback', groupId: 'g', dlq: 'late-letters' })
  try {
    await log.clusterId()
    expect(said.times).toBe(14)
  } finally {
    await log.close()
  }
})
