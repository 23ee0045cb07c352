import type { Admin } from 'kafkajs'
import { createClient, NO_RETRY, OUTLIVE_OUTAGES } from './client.js'
import { kafkaError, unreachable } from './failure.js'
import { clusterOf, connectedBroker, topicSettings } from './inside.js'
import { optional } from './optional.js'
import { DEFAULT_CONNECT_TIMEOUT, type KafkaConnection } from './options.js'

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
 * Creates the topic if it is missing; returns whether it was. @throws KAFKA_UNREACHABLE after `connectTimeout`
 */
export async function ensureTopic(connection: KafkaConnection, spec: TopicSpec): Promise<boolean> {
  const { connectTimeout = DEFAULT_CONNECT_TIMEOUT } = connection
  const deadline = AbortSignal.timeout(connectTimeout)
  const kafka = createClient(connection, OUTLIVE_OUTAGES, deadline)
  const admin = kafka.admin()
  try {
    await admin.connect()
    return await createTopic(admin, spec)
  } catch (error) {
    if (deadline.aborted) throw unreachable(connection)
    throw kafkaError(error, { brokers: connection.brokers, topic: spec.topic })
  } finally {
    await admin.disconnect()
  }
}

/** The same over an open connection. */
export function createTopic(admin: Admin, spec: TopicSpec): Promise<boolean> {
  const { topic, partitions = 1, replicationFactor = 1, config = {} } = spec
  return admin.createTopics({
    waitForLeaders: true,
    topics: [
      {
        topic,
        numPartitions: partitions,
        replicationFactor,
        configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
      },
    ],
  })
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
