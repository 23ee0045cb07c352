import kafkajs, { type Broker, type Cluster } from 'kafkajs'
import { portions } from '../wire/portions.js'
import { createClient } from './client.js'
import { kafkaError } from './failure.js'
import { fetchUncommitted } from './fetched.js'
import { clusterOf } from './inside.js'
import { fromOffset, toOffset } from './offsets.js'
import { DEFAULT_BATCH_BYTES, type KafkaConnection } from './options.js'
import { listOffsets } from './protocol.js'

/** What to look for. Times in milliseconds since the epoch, by the timestamps of the records. */
export interface Sought {
  readonly key: string
  readonly from: number
  readonly to: number
}

export interface SearchResult {
  /** The value of the first record with the key; null if there is none. */
  readonly value: Uint8Array | null
  /** Records of the time that was searched may have been deleted already. */
  readonly isTruncated: boolean
}

const FETCH_BYTES = 2 ** 20
const RETRIES = { initialRetryTime: 50, maxRetryTime: 500, retries: 3 }

/**
 * Finds records of a topic by key and time: in the partition that producers choose for the key, and then in the others,
 * where it lies if partitions were added since.
 */
export class KeySearch {
  private readonly cluster: Cluster
  private readonly closing = new AbortController()
  private readonly partitionOf = kafkajs.Partitioners.DefaultPartitioner()

  /** @param seen  is given every record with a key on the way, for later searches */
  constructor(
    private readonly connection: KafkaConnection,
    private readonly topic: string,
    private readonly seen: (key: string, value: Uint8Array) => void,
  ) {
    this.cluster = clusterOf(createClient(connection, RETRIES, this.closing.signal))
  }

  /** @throws a coded error if a broker does not answer */
  async find(sought: Sought, signal: AbortSignal): Promise<SearchResult> {
    try {
      return await this.search(sought, signal)
    } catch (error) {
      signal.throwIfAborted()
      if (!kafkaError(error, this.place()).retryable) throw kafkaError(error, this.place())
    }
    try {
      await this.cluster.refreshMetadata()
      return await this.search(sought, signal)
    } catch (error) {
      throw kafkaError(error, this.place())
    }
  }

  async close(): Promise<void> {
    this.closing.abort()
    await this.cluster.disconnect()
  }

  private async search(sought: Sought, signal: AbortSignal): Promise<SearchResult> {
    await this.cluster.connect()
    await this.cluster.addTargetTopic(this.topic)
    await this.cluster.refreshMetadataIfNecessary()
    const partitionMetadata = this.cluster.findTopicPartitionMetadata(this.topic)
    const message = { key: sought.key, value: null }
    const home = this.partitionOf({ topic: this.topic, partitionMetadata, message })
    const others = partitionMetadata.map(({ partitionId }) => partitionId).filter((id) => id !== home)
    let isTruncated = false
    for (const partition of [home, ...others]) {
      const found = await this.searchPartition(partition, sought, signal)
      if (found.value !== null) return found
      if (partition === home) isTruncated = found.isTruncated
    }
    return { value: null, isTruncated }
  }

  private async searchPartition(partition: number, { key, from, to }: Sought, signal: AbortSignal) {
    const leader = await this.leader(partition)
    const [start, first] = await Promise.all([
      this.offset(leader, partition, EARLIEST),
      this.offset(leader, partition, from),
    ])
    if (first === -1) return { value: null, isTruncated: false }
    const absent = { value: null, isTruncated: first === start && start > 0 }
    for (let next = first; ; ) {
      signal.throwIfAborted()
      const position = { partition, fetchOffset: fromOffset(next), maxBytes: FETCH_BYTES }
      const fetched = await fetchUncommitted(leader, this.topic, position)
      const begun = next
      for (const portion of portions(fetched, next, { maxBatchBytes: DEFAULT_BATCH_BYTES })) {
        for (const { key: bytes, value, timestamp } of portion.records) {
          if (timestamp > to) return absent
          if (bytes === null || value === null) continue
          const name = Buffer.from(bytes).toString()
          this.seen(name, value)
          if (name === key) return { value, isTruncated: false }
        }
        next = portion.nextOffset
      }
      if (next === begun || next >= fetched.highWatermark) return absent
    }
  }

  private async leader(partition: number): Promise<Broker> {
    const [nodeId] = Object.keys(this.cluster.findLeaderForPartitions(this.topic, [partition]))
    return this.cluster.findBroker({ nodeId: nodeId ?? '' })
  }

  /** The first offset whose record is not older; −1 if there is none. */
  private async offset(leader: Broker, partition: number, time: number): Promise<number> {
    const offsets = await listOffsets(leader, this.topic, [partition], { timestamp: String(time), isolationLevel: 0 })
    return toOffset(offsets.get(partition) ?? '-1')
  }

  private place() {
    return { brokers: this.connection.brokers, topic: this.topic }
  }
}

/** Kafka's special timestamp for the beginning of the log. */
const EARLIEST = -2
