/**
 * Five repairs of kafkajs 2.2.4, made once when this file is first imported, and the little of its inside that the
 * rest of this folder relies on. docs/adr/003-kafka-through-kafkajs.md tells why.
 */
import { createRequire } from 'node:module'
import kafkajs, {
  type Broker,
  type BrokerMetadata,
  type Cluster,
  type Consumer,
  type ConsumerConfig,
  type PartitionAssigner,
} from 'kafkajs'

const { KafkaJSNonRetriableError } = kafkajs
const require = createRequire(import.meta.url)

const REPAIRED_VERSION = '2.2.4'
const { version } = require('kafkajs/package.json') as { version: string }
if (version !== REPAIRED_VERSION) throw new Error(`kafkajs ${REPAIRED_VERSION} is needed, found ${version}`)

/** The offset to read next is not in the log. */
export class OffsetOutOfRange extends KafkaJSNonRetriableError {
  readonly type = 'OFFSET_OUT_OF_RANGE'
  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {
    super(`offset out of range in ${topic}-${partition}`)
  }
}

/** The group has moved on since the commit was called. */
export class CommitFenced extends KafkaJSNonRetriableError {
  readonly type = 'ILLEGAL_GENERATION'
}

/** The node that coordinates a group; kafkajs leaves the request out of its types. */
export async function coordinatorOf(broker: Broker, groupId: string): Promise<string> {
  const asked = broker as unknown as { findGroupCoordinator(request: object): Promise<FoundCoordinator> }
  const { coordinator } = await asked.findGroupCoordinator({ groupId, coordinatorType: 0 })
  return String(coordinator.nodeId)
}

interface FoundCoordinator {
  readonly coordinator: { readonly nodeId: number }
}

/** Metadata with the cluster's id, which kafkajs leaves out of its types. Rejects where the topic is unknown. */
export const topicMetadata = (
  broker: Broker,
  topic: string,
): Promise<BrokerMetadata & { readonly clusterId: string }> =>
  broker.metadata([topic]) as Promise<BrokerMetadata & { readonly clusterId: string }>

/** How many members a described group has; kafkajs leaves the answer out of its types. */
export const membersOf = (described: unknown): number =>
  (described as { readonly groups: readonly { readonly members: readonly unknown[] }[] }).groups.reduce(
    (sum, { members }) => sum + members.length,
    0,
  )

/** A broker with a connection: one that the metadata names, else the one that answered first. */
export const connectedBroker = (cluster: Cluster): Promise<Broker> => inside(cluster).brokerPool.findConnectedBroker()

/** `host:port` of the broker that answered first, and of each broker that it named, by node. */
export function addresses(cluster: Cluster): { readonly first: string; readonly named: ReadonlyMap<string, string> } {
  const { seedBroker, metadata } = inside(cluster).brokerPool
  const named = metadata?.brokers.map(({ nodeId, host, port }) => [String(nodeId), `${host}:${port}`] as const) ?? []
  return { first: seedBroker?.brokerAddress ?? '', named: new Map(named) }
}

/** The part of a cluster that kafkajs keeps out of its types. */
const inside = (cluster: Cluster) =>
  cluster as Cluster & {
    readonly brokerPool: {
      readonly seedBroker?: { readonly brokerAddress: string }
      readonly metadata: BrokerMetadata | null
      findConnectedBroker(): Promise<Broker>
    }
  }

/** Settings of a topic, by name; kafkajs leaves the request out of its types. Rejects where the user may not know them. */
export async function topicSettings(
  broker: Broker,
  topic: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const { describeConfigs } = broker as unknown as { describeConfigs: (asked: object) => Promise<DescribedConfigs> }
  const resources = [{ type: TOPIC, name: topic, configNames: names }]
  const described = await describeConfigs.call(broker, { resources })
  const entries = described.resources.flatMap(({ configEntries }) => configEntries)
  return new Map(entries.map(({ configName, configValue }) => [configName, configValue]))
}

/** kafkajs' number for the resource type. */
const TOPIC = 2

interface DescribedConfigs {
  readonly resources: readonly {
    readonly configEntries: readonly { readonly configName: string; readonly configValue: string }[]
  }[]
}

/**
 * The connections under a client, without any consumer group: kafkajs hands them to partition assigners, its own
 * extension point, and does so when a consumer is made. The consumer itself never connects.
 */
export const clusterOf = (kafka: kafkajs.Kafka): Cluster =>
  consumerOf(kafka, { groupId: 'none', allowAutoTopicCreation: false }).cluster

/** A consumer, and the connections under it. */
export function consumerOf(
  kafka: kafkajs.Kafka,
  config: ConsumerConfig,
): { readonly consumer: Consumer; readonly cluster: Cluster } {
  let cluster: Cluster | undefined
  const assigner: PartitionAssigner = (given) => {
    cluster = given.cluster
    return kafkajs.PartitionAssigners.roundRobin(given)
  }
  const consumer = kafka.consumer({ ...config, partitionAssigners: [assigner] })
  if (!cluster) throw new Error('kafkajs made a consumer without asking for its assigner')
  return { consumer, cluster }
}

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

interface OffsetManager {
  readonly memberAssignment: Readonly<Record<string, readonly number[] | undefined>>
  setDefaultOffset(at: { topic: string; partition: number }): Promise<void>
  commitOffsets(commit: Commit): Promise<void>
}

interface Runner {
  readonly running: boolean
  /** A new offset manager is made at every join, with the generation of that join. */
  readonly consumerGroup: { readonly offsetManager: OffsetManager | null }
  retrier<T>(attempt: () => Promise<T>): Promise<T>
  commitOffsets(commit: Commit): Promise<void>
}

interface Connection {
  authenticate(): Promise<void>
  disconnect(): Promise<unknown>
}

interface Group {
  lastRequest: number
  heartbeat(options: { readonly interval: number }): Promise<void>
}

interface Commit {
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly { readonly partition: number }[] }[]
}

/**
 * 1. After its first answer every connection sets a timer of 0 ms that sets itself again for ever, about 1,700
 * wake-ups a second. With nothing pending and no throttle there is nothing to check: `push` and `fulfillRequest`
 * call again when there is.
 */
const queue = prototypeOf<RequestQueue>('kafkajs/src/network/requestQueue')
const schedule = queue.scheduleCheckPendingRequests
queue.scheduleCheckPendingRequests = function () {
  if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this)
}

/**
 * 2. On OFFSET_OUT_OF_RANGE kafkajs commits −1 or −2 over the group's offset, also with `autoCommit: false`, and reads
 * on elsewhere. A lost range is for the operator to decide on.
 */
prototypeOf<OffsetManager>('kafkajs/src/consumer/offsetManager').setDefaultOffset = ({ topic, partition }) =>
  Promise.reject(new OffsetOutOfRange(topic, partition))

/**
 * 3. `commitOffsets` sends the newest generation even for partitions that this member has lost, on its own retries
 * too, and the broker takes it: a late commit overwrites the new owner's. Each call is pinned here to the generation
 * in which it was made.
 */
prototypeOf<Runner>('kafkajs/src/consumer/runner').commitOffsets = function (commit) {
  const pinned = this.consumerGroup.offsetManager
  return this.retrier(async () => {
    if (!this.running || pinned === null || this.consumerGroup.offsetManager !== pinned)
      throw new CommitFenced('the group has another generation')
    const lost = commit.topics.some(({ topic, partitions }) =>
      partitions.some(({ partition }) => !pinned.memberAssignment[topic]?.includes(partition)),
    )
    if (lost) throw new CommitFenced('the partition is not assigned')
    await pinned.commitOffsets(commit)
  })
}

/**
 * 4. A login that fails halfway, such as for want of a token, leaves its connection open. The next attempt begins
 * another handshake on it, which the broker refuses as out of order, and that hides the reason.
 */
const connection = prototypeOf<Connection>('kafkajs/src/network/connection')
const authenticate = connection.authenticate
connection.authenticate = async function () {
  try {
    await authenticate.call(this)
  } catch (error) {
    await this.disconnect().catch(() => undefined)
    throw error
  }
}

/**
 * 5. Heartbeats are due by the wall clock. Where that was set back by an hour, none goes out for an hour, and the group
 * gives the partitions away unnoticed. A last heartbeat that lies ahead tells so: the next one is due at once.
 */
const group = prototypeOf<Group>('kafkajs/src/consumer/consumerGroup')
const heartbeat = group.heartbeat
group.heartbeat = function (options) {
  if (this.lastRequest > Date.now()) this.lastRequest = 0
  return heartbeat.call(this, options)
}

function prototypeOf<T>(module: string): T {
  return (require(module) as { prototype: T }).prototype
}
