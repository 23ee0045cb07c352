/** The little of kafkajs' inside, left out of its types, that the rest of this folder relies on. */
import kafkajs, {
  type Broker,
  type BrokerMetadata,
  type Cluster,
  type Consumer,
  type ConsumerConfig,
  type PartitionAssigner,
} from 'kafkajs'

/** The node that coordinates a group; kafkajs leaves the request out of its types. */
export async function coordinatorOf(broker: Broker, groupId: string): Promise<string> {
  const asked = broker as unknown as { findGroupCoordinator(request: object): Promise<FoundCoordinator> }
  const { coordinator } = await asked.findGroupCoordinator({ groupId, coordinatorType: 0 })
  return String(coordinator.nodeId)
}

interface FoundCoordinator {
  readonly coordinator: { readonly nodeId: number }
}

/** Metadata with the cluster's id, which kafkajs leaves out of its types. Rejects if the topic is unknown. */
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

/** The broker that leads a partition of a topic whose metadata is known; null while there is none. */
export async function leaderOf(cluster: Cluster, topic: string, partition: number): Promise<Broker | null> {
  const [nodeId] = Object.keys(cluster.findLeaderForPartitions(topic, [partition]))
  return nodeId === undefined ? null : cluster.findBroker({ nodeId })
}

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

/** Settings of a topic, by name; kafkajs leaves the request out of its types. Rejects if the user may not know them. */
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
