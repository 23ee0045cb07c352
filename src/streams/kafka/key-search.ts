import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Broker, type Cluster } from 'kafkajs'
import { portions } from '../wire/portions.js'
import { createClient } from './client.js'
import { kafkaError } from './failure.js'
import { fetchUncommitted } from './fetched.js'
import { clusterOf, leaderOf } from './inside.js'
import { fromOffset, toOffset } from './offsets.js'
import { DEFAULT_BATCH_BYTES, type KafkaConnection } from './options.js'
import { listOffsets, protocolError } from './protocol.js'

/** Is given a record with a key that was read on the way. */
export type Seen = (key: string, value: Uint8Array) => void

export interface SearchResult {
  /** The value of the first record with the key; null if there is none. */
  readonly value: Uint8Array | null
  /** Records of the time that was searched may have been deleted already. */
  readonly isTruncated: boolean
}

const FETCH_BYTES = 2 ** 20
const RETRIES = { initialRetryTime: 50, maxRetryTime: 500, retries: 3 }
/** While a partition gets a leader, or another one. */
const ATTEMPTS = 6
const PAUSE_MS = 250

/** Finds records of a topic by key and time. Times are in milliseconds since the epoch, by the records' timestamps. */
export class KeySearch {
  private readonly cluster: Cluster
  private readonly closing = new AbortController()

  constructor(
    private readonly connection: KafkaConnection,
    private readonly topic: string,
  ) {
    this.cluster = clusterOf(createClient(connection, RETRIES, this.closing.signal))
  }

  /** A search that has read nothing yet. */
  begin(key: string, from: number): KeyScan {
    return new KeyScan(this.cluster, { key, from, topic: this.topic, brokers: this.connection.brokers })
  }

  async close(): Promise<void> {
    this.closing.abort()
    await this.cluster.disconnect()
  }
}

interface Sought {
  readonly key: string
  readonly from: number
  readonly topic: string
  readonly brokers: readonly string[]
}

/**
 * One search. It reads the partition that producers choose for the key, and then the others, where the record lies if
 * partitions were added since. Reading again goes on where the last time ended, so that new records cost no more than
 * themselves.
 */
export class KeyScan {
  private readonly key: Buffer
  /** The offset to read next, by partition. */
  private readonly next = new Map<number, number>()
  /** The partition that producers choose. */
  private home = -1
  private isTruncated = false

  constructor(
    private readonly cluster: Cluster,
    private readonly sought: Sought,
  ) {
    this.key = Buffer.from(sought.key)
  }

  /** Reads on up to the records of the time `to`. @throws a coded error if a broker does not answer; the signal's reason */
  async readTo(to: number, signal: AbortSignal, seen?: Seen): Promise<SearchResult> {
    for (let tried = 1; ; tried++) {
      try {
        return { value: await this.read(to, signal, seen), isTruncated: this.isTruncated }
      } catch (error) {
        signal.throwIfAborted()
        const coded = kafkaError(error, this.sought)
        // what was to be read next has been deleted meanwhile
        if (coded.code === 'KAFKA_OFFSET_OUT_OF_RANGE') this.next.clear()
        else if (!coded.retryable || tried === ATTEMPTS) throw coded
      }
      await sleep(PAUSE_MS, undefined, { signal })
      await this.cluster.refreshMetadata().catch(() => undefined) // the next attempt says what is wrong
    }
  }

  private async read(to: number, signal: AbortSignal, seen?: Seen): Promise<Uint8Array | null> {
    const { topic, key } = this.sought
    await this.cluster.connect()
    await this.cluster.addTargetTopic(topic)
    await this.cluster.refreshMetadataIfNecessary()
    const partitionMetadata = this.cluster.findTopicPartitionMetadata(topic)
    this.home = partitionOf({ topic, partitionMetadata, message: { key, value: null } })
    const found = await this.readPartition(this.home, to, signal, seen)
    if (found !== null) return found
    const others = partitionMetadata.map(({ partitionId }) => partitionId).filter((id) => id !== this.home)
    const all = await Promise.allSettled(others.map((partition) => this.readPartition(partition, to, signal, seen)))
    const failed = all.find((each) => each.status === 'rejected')
    const value = all.find((each) => each.status === 'fulfilled' && each.value !== null)
    if (value?.status === 'fulfilled') return value.value
    if (failed?.status === 'rejected') throw failed.reason
    return null
  }

  private async readPartition(partition: number, to: number, signal: AbortSignal, seen?: Seen) {
    const { topic } = this.sought
    const leader = await leaderOf(this.cluster, topic, partition)
    if (leader === null) throw protocolError(LEADER_NOT_AVAILABLE)
    for (let next = this.next.get(partition) ?? (await this.start(leader, partition)); ; ) {
      signal.throwIfAborted()
      const position = { partition, fetchOffset: fromOffset(next), maxBytes: FETCH_BYTES }
      const fetched = await fetchUncommitted(leader, topic, position)
      const begun = next
      for (const { records, nextOffset } of portions(fetched, next, { maxBatchBytes: DEFAULT_BATCH_BYTES })) {
        for (const { key, value, timestamp } of records) {
          if (timestamp > to) return null
          if (key === null || value === null) continue
          seen?.(Buffer.from(key).toString(), value)
          if (this.key.equals(key)) return value
        }
        next = nextOffset
        this.next.set(partition, next)
      }
      if (next === begun || next >= fetched.highWatermark) return null
    }
  }

  /** The first offset whose record is not older than what is sought: the end of the log if there is none. */
  private async start(leader: Broker, partition: number): Promise<number> {
    // the end first: what is written after it is read
    const [earliest, latest] = await Promise.all([
      this.offset(leader, partition, EARLIEST),
      this.offset(leader, partition, LATEST),
    ])
    const first = await this.offset(leader, partition, this.sought.from)
    if (partition === this.home && first === earliest && earliest > 0) this.isTruncated = true
    const start = first === -1 ? latest : first
    this.next.set(partition, start)
    return start
  }

  private async offset(leader: Broker, partition: number, time: number): Promise<number> {
    const question = { timestamp: String(time), isolationLevel: 0 } as const
    const offsets = await listOffsets(leader, this.sought.topic, [partition], question)
    return toOffset(offsets.get(partition) ?? '-1')
  }
}

const partitionOf = kafkajs.Partitioners.DefaultPartitioner()

const LEADER_NOT_AVAILABLE = 5

/** Kafka's special timestamps for the beginning and the end of the log. */
const EARLIEST = -2
const LATEST = -1
