import type { Cluster } from 'kafkajs'
import type { BcodError } from '../../errors.js'
import type { LogRecord } from '../../events/types.js'
import type { Assignment } from '../source.js'
import { portions } from '../wire/portions.js'
import { kafkaError } from './failure.js'
import { fetchUncommitted } from './fetched.js'
import { connectedBroker, leaderOf, membersOf, topicMetadata, topicSettings } from './inside.js'
import { groupShared, newProtocolMembers } from './new-protocol.js'
import { fromOffset, toOffset } from './offsets.js'
import { optional } from './optional.js'
import { DEFAULT_BATCH_BYTES, type KafkaLogOptions } from './options.js'
import { listOffsets } from './protocol.js'
import { describeTopic, type TopicDescription } from './topic-description.js'

/** This many lost connections at one request, with other requests answered in between, count as a refusal. */
const REFUSALS = 3

/**
 * Requests to the cluster that need no group membership. Each is a single attempt: it rejects if the connection is lost,
 * and the next one discovers the brokers again.
 */
export class Lookup {
  constructor(
    private readonly cluster: Cluster,
    private readonly options: KafkaLogOptions,
  ) {}

  /** Identity of the topic, and bounds and committed offsets of these partitions. */
  async assignment(partitions: readonly number[]): Promise<Assignment & { readonly description: TopicDescription }> {
    const { topic, groupId } = this.options
    // first of all: a topic recreated after this is noticed by the next poll
    const description = await this.describe()
    const known = { description, topicId: description.id, total: description.partitions.length, partitions }
    return this.connected(async () => {
      if (partitions.length === 0) return { ...known, bounds: new Map(), logEnds: new Map(), committed: new Map() }
      const [starts, ends, logEnds, coordinator] = await Promise.all([
        this.offsets(partitions, START),
        this.offsets(partitions, READABLE_END),
        this.offsets(partitions, LOG_END),
        this.cluster.findGroupCoordinator({ groupId }),
      ])
      const { responses } = await coordinator.offsetFetch({
        groupId,
        topics: [{ topic, partitions: blank(partitions) }],
      })
      const committed = responses
        .flatMap((response) => response.partitions)
        .map(({ partition, offset }) => [partition, toOffset(offset)] as const)
      return {
        ...known,
        bounds: new Map(partitions.map((p) => [p, { start: starts.get(p) ?? 0, end: ends.get(p) ?? 0 }])),
        logEnds,
        committed: new Map(committed.filter(([, offset]) => offset >= 0)),
      }
    })
  }

  /** The current state of the topic. A partition without a leader is not an error. */
  async describe(): Promise<TopicDescription> {
    await this.cluster.connect()
    return describeTopic(await connectedBroker(this.cluster), this.options.topic)
  }

  /** The ends of these partitions; one whose leader does not answer is left out. */
  async ends(partitions: readonly number[]): Promise<ReadonlyMap<number, Ends>> {
    return this.connected(async () => {
      const [readable, logEnds] = await Promise.all([
        this.offsets(partitions, READABLE_END, () => null),
        this.offsets(partitions, LOG_END, () => null),
      ])
      const both = [...readable].map(([partition, end]) => [partition, end, logEnds.get(partition)] as const)
      return new Map(
        both.flatMap(([partition, readableEnd, logEnd]) =>
          logEnd === undefined ? [] : [[partition, { readableEnd, logEnd }]],
        ),
      )
    })
  }

  /**
   * Number of members of the group; 0 if the service does not report it. A standby takes over when there are none, so a
   * lost connection counts as a refusal only if the same broker answers everything else.
   *
   * @throws KAFKA_GROUP_SHARED if they speak the new group protocol
   */
  async members(): Promise<number> {
    const { groupId } = this.options
    for (let tried = 0; tried < REFUSALS; tried++) {
      const coordinator = await this.connected(() => this.cluster.findGroupCoordinator({ groupId }))
      await describeTopic(coordinator, this.options.topic)
      const others = await optional(() => newProtocolMembers(coordinator, groupId), 0)
      if (others > 0) throw groupShared(groupId, others)
      try {
        return membersOf(await coordinator.describeGroups({ groupIds: [groupId] }))
      } catch (error) {
        const answered = !kafkaError(error, this.options).retryable
        if (answered) return 0
        if (error instanceof Error && 'type' in error) throw error // a coordinator that is moving says so
      }
    }
    return 0
  }

  /** Why the group has given this process only some of the partitions. */
  async sharers(): Promise<BcodError | null> {
    const { groupId } = this.options
    const coordinator = await this.connected(() => this.cluster.findGroupCoordinator({ groupId }))
    const others = await optional(() => newProtocolMembers(coordinator, groupId), 0)
    return others > 0 ? groupShared(groupId, others) : null
  }

  /** The record at a position; null if the log has none there or it cannot be read. */
  async recordAt(partition: number, offset: number): Promise<LogRecord | null> {
    const { topic, maxBytesPerPartition, maxBatchBytes = DEFAULT_BATCH_BYTES } = this.options
    return this.connected(async () => {
      const leader = await leaderOf(this.cluster, topic, partition)
      if (leader === null) return null
      const position = { partition, fetchOffset: fromOffset(offset), maxBytes: maxBytesPerPartition ?? 1 << 20 }
      const fetched = await fetchUncommitted(leader, topic, position).catch((error) => {
        if (kafkaError(error, this.options).code === 'KAFKA_OFFSET_OUT_OF_RANGE') return null
        throw error
      })
      if (fetched === null || fetched.bytes.length === 0) return null
      // the first batch holds the offset, if the log has anything there
      const [first] = portions(fetched, offset, { maxBatchBytes, portionBytes: 0 })
      return first?.records.find((record) => record.offset === offset) ?? null
    })
  }

  /** `retention.ms` of the topic; null if nothing is deleted by age or the service does not report it. */
  async retentionMs(): Promise<number | null> {
    const settings = await this.settings(this.options.topic, ['retention.ms', 'cleanup.policy'])
    const retention = Number(settings?.get('retention.ms'))
    const isDeleted = (settings?.get('cleanup.policy') ?? 'delete').includes('delete')
    return isDeleted && retention >= 0 ? retention : null
  }

  /** Settings of a topic, by name; null if the service does not report them. */
  settings(topic: string, names: readonly string[]): Promise<ReadonlyMap<string, string> | null> {
    return optional(async () => {
      await this.cluster.connect()
      return topicSettings(await connectedBroker(this.cluster), topic, names)
    }, null)
  }

  /** Number of replicas of a topic's first partition; null if there is no such topic. */
  async replicas(topic: string): Promise<number | null> {
    return this.connected(async () => {
      const broker = await connectedBroker(this.cluster)
      try {
        const metadata = await topicMetadata(broker, topic)
        return metadata.topicMetadata[0]?.partitionMetadata[0]?.replicas.length ?? null
      } catch (error) {
        if (kafkaError(error, { ...this.options, topic }).code === 'KAFKA_TOPIC_MISSING') return null
        throw error
      }
    })
  }

  close(): Promise<void> {
    return this.cluster.disconnect()
  }

  private async connected<T>(ask: () => Promise<T>): Promise<T> {
    await this.cluster.connect()
    await this.cluster.addTargetTopic(this.options.topic)
    await this.cluster.refreshMetadata()
    return ask()
  }

  /** @param failed  result for a leader that does not answer; it throws the error by default */
  private async offsets(
    partitions: readonly number[],
    question: OffsetQuestion,
    failed: (error: unknown) => null = (error) => {
      throw error
    },
  ): Promise<ReadonlyMap<number, number>> {
    const { topic } = this.options
    const leaders = Object.entries(this.cluster.findLeaderForPartitions(topic, [...partitions]))
    const found = await Promise.all(
      leaders.map(([nodeId, led]) =>
        this.cluster
          .findBroker({ nodeId })
          .then((broker) => listOffsets(broker, topic, led, question))
          .catch(failed),
      ),
    )
    return new Map(found.flatMap((each) => [...(each ?? [])].map(([p, offset]) => [p, toOffset(offset)] as const)))
  }
}

/** Where a partition ends. */
export interface Ends {
  /** For a consumer of committed records: the last stable offset. */
  readonly readableEnd: number
  /** The offset of the next record to be written: the high watermark. */
  readonly logEnd: number
}

type OffsetQuestion = Parameters<typeof listOffsets>[3]

/** Kafka's special timestamps for the earliest and the next offset. */
const [EARLIEST, LATEST] = ['-2', '-1']
const START: OffsetQuestion = { timestamp: EARLIEST, isolationLevel: 0 }
const LOG_END: OffsetQuestion = { timestamp: LATEST, isolationLevel: 0 }
const READABLE_END: OffsetQuestion = { timestamp: LATEST, isolationLevel: 1 }

/** kafkajs requires an offset in its requests and ignores it. */
const blank = (partitions: readonly number[]) => partitions.map((partition) => ({ partition, offset: '-1' }))
