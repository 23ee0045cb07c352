import type { Admin } from 'kafkajs'
import { BcodError } from '../../errors.js'
import { createClient, NO_RETRY } from './client.js'
import { kafkaError, unreachable } from './failure.js'
import { clusterOf, connectedBroker, topicSettings } from './inside.js'
import { optional } from './optional.js'
import { DEFAULT_CONNECT_TIMEOUT, type KafkaConnection } from './options.js'
import { retry } from './retry.js'

export interface TopicSpec {
  readonly topic: string
  /** @default 1 */
  readonly partitions?: number
  /** @default 1 */
  readonly replicationFactor?: number
  /** Topic settings, such as `retention.ms`. */
  readonly config?: Readonly<Record<string, string>>
}

/**
 * Creates the topic if it is missing, and waits until the broker knows it and each partition has a leader.
 *
 * @throws KAFKA_LEADER_MISSING if that is not so after `connectTimeout`; KAFKA_UNREACHABLE if no broker answered in it
 */
export async function ensureTopic(connection: KafkaConnection, spec: TopicSpec): Promise<void> {
  const { brokers, connectTimeout = DEFAULT_CONNECT_TIMEOUT, log } = connection
  const deadline = AbortSignal.timeout(connectTimeout)
  const admin = createClient(connection, NO_RETRY, deadline).admin()
  const at = { brokers, topic: spec.topic, log }
  let last: BcodError | undefined
  try {
    const attempt = async () => {
      try {
        await admin.connect()
        await createTopic(admin, spec)
      } catch (error) {
        last = kafkaError(error, at)
        throw last
      }
    }
    await retry(attempt, at, deadline)
  } catch (error) {
    throw deadline.aborted ? unreachable(connection, last) : error
  } finally {
    await admin.disconnect()
  }
}

/**
 * One attempt over an open connection. A topic that is there is left alone.
 *
 * @throws KAFKA_LEADER_MISSING while the broker does not know the topic that it has just created: the next attempt finds it
 */
export async function createTopic(admin: Admin, spec: TopicSpec): Promise<void> {
  const { topic, partitions = 1, replicationFactor = 1, config = {} } = spec
  const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
  const asked = { topic, numPartitions: partitions, replicationFactor, configEntries }
  // kafkajs' own wait for leaders rejects if the broker does not know the topic yet, and does not wait for one that is there
  await admin.createTopics({ waitForLeaders: false, topics: [asked] })
  try {
    await admin.fetchTopicMetadata({ topics: [topic] })
  } catch (error) {
    if (kafkaError(error, { brokers: [], topic }).code !== 'KAFKA_TOPIC_MISSING') throw error
    throw new BcodError('KAFKA_LEADER_MISSING', 'the topic was created, and the broker does not know it yet', {
      ...{ place: topic, cause: error },
      remedy: 'Wait: a broker that is busy or has just started needs seconds. If it stays so, read its log.',
    })
  }
}

/** Settings of a topic, by name; null if the service does not report them. */
export async function readSettings(
  connection: KafkaConnection,
  topic: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string> | null> {
  const cluster = clusterOf(createClient(connection, NO_RETRY, new AbortController().signal))
  try {
    return await optional(async () => {
      await cluster.connect()
      return topicSettings(await connectedBroker(cluster), topic, names)
    }, null)
  } finally {
    await cluster.disconnect()
  }
}
