import { setImmediate as immediate } from 'node:timers/promises'
import type { Cluster, Consumer, EachBatchPayload } from 'kafkajs'
import { BcodError } from '../../errors.js'
import type { Assignment, RecordBatch } from '../source.js'
import { portions } from '../wire/portions.js'
import { kafkaError } from './failure.js'
import { fetchOf } from './fetched.js'
import type { Ends, Lookup } from './lookup.js'
import { fromOffset } from './offsets.js'
import { DEFAULT_BATCH_BYTES, type KafkaLogOptions } from './options.js'
import { reachable } from './probe.js'
import { delay, retry } from './retry.js'
import { mayDiffer, type TopicDescription } from './topic-description.js'

const BEFORE_RETRY = 500
/** Decoding a fetch yields to the event loop after this long. */
const MAX_TURN_MS = 20

export interface ConsumerHooks {
  positionsFor(assignment: Assignment): Promise<ReadonlyMap<number, number>>
  revoked(): void
  grown(total: number): void
  batch(batch: RecordBatch): void
}

/** What an assignment has from its group member, and shares with the assignments before and after it. */
export interface Member {
  readonly consumer: Consumer
  readonly cluster: Cluster
  readonly lookup: Lookup
  readonly options: KafkaLogOptions
  readonly hooks: ConsumerHooks
  /** Aborts when the member stops. */
  readonly signal: AbortSignal
  /** A fetch went on where the last one had ended. */
  progressed(): void
}

/**
 * One assignment of the group, from `load` to `end`: looks up its positions, seeks to them, and reads.
 *
 * The object is its own epoch: asynchronous work stops once it has ended. Batches are emitted without waiting, so
 * heartbeats continue.
 */
export class AssignedPartitions {
  /** The offset to read next of each partition; empty until the positions are known. */
  private readonly next = new Map<number, number>()
  /** The last known readable end of each partition. */
  private readonly readableEnds = new Map<number, number>()
  /** The topic at the time of the assignment; null until it is known. */
  private description: TopicDescription | null = null
  /** Whether `positionsFor` was called, so that `revoked` must be. */
  private announced = false
  private ended = false

  /**
   * Nothing is read until `load` has resolved.
   *
   * @param held  whether reading is paused
   */
  constructor(
    readonly partitions: readonly number[],
    readonly member: Member,
    private held: boolean,
  ) {
    if (partitions.length > 0) member.consumer.pause(this.selection())
  }

  /** Asynchronous work for it must stop: the group has taken the partitions away, or the member stops. */
  get isOver(): boolean {
    return this.ended || this.member.signal.aborted
  }

  end(): void {
    if (this.ended) return
    this.ended = true
    if (this.announced) this.member.hooks.revoked()
  }

  pause(): void {
    this.held = true
    if (this.next.size > 0) this.member.consumer.pause(this.selection())
  }

  resume(): void {
    this.held = false
    if (this.next.size > 0) this.member.consumer.resume(this.selection())
  }

  /** Gets the positions, seeks to them and starts reading. */
  async load(): Promise<void> {
    if (this.ended) return
    const { partitions, member } = this
    const { consumer, options, hooks } = member
    const assignment = await this.lookUp()
    if (this.ended || assignment === null) return
    if (partitions.length < assignment.total && !this.member.options.isShared) void this.explainShare(assignment.total)
    this.announced = true
    this.description = assignment.description
    for (const [partition, { end }] of assignment.bounds) this.readableEnds.set(partition, end)
    const positions = await hooks.positionsFor(assignment)
    if (this.ended) return
    for (const partition of partitions) {
      const offset = positions.get(partition)
      if (offset === undefined) throw new BcodError('INTERNAL', `no position for partition ${partition}`)
      consumer.seek({ topic: options.topic, partition, offset: fromOffset(offset) })
      this.next.set(partition, offset)
    }
    if (!this.held) this.resume()
  }

  /** Retries through an outage as long as the assignment lasts. @throws KAFKA_ASSIGNMENT_LOST */
  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    const { consumer, options, signal } = this.member
    const { topic } = options
    const lost = [...offsets.keys()].find((partition) => !this.next.has(partition))
    if (lost !== undefined) throw assignmentLost(`${topic}-${lost}`)
    const commits = [...offsets].map(([partition, offset]) => ({ topic, partition, offset: fromOffset(offset) }))
    const commit = async () => {
      if (this.ended) throw assignmentLost(topic)
      await consumer.commitOffsets(commits)
    }
    await retry(commit, options, signal)
  }

  /** Emits what a fetch returned for a partition, portion by portion. */
  async read({ batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const { consumer, options, hooks } = this.member
    const { topic, maxBatchBytes = DEFAULT_BATCH_BYTES } = options
    const fetch = fetchOf(batch)
    const { partition, highWatermark: logEnd } = fetch
    const expected = this.next.get(partition)
    if (expected === undefined) return // of an earlier assignment; the present one seeks before it reads
    if (fetch.fetchedOffset !== expected) {
      this.log('info', 'dropped a batch that does not follow the last one', { topic, partition, expected })
      consumer.seek({ topic, partition, offset: fromOffset(expected) })
      return
    }
    // the later of both is the newer
    const readableEnd = Math.max(fetch.readableEnd, this.readableEnds.get(partition) ?? 0)
    this.member.progressed()
    let since = performance.now()
    for (const portion of this.held ? [] : portions(fetch, expected, { maxBatchBytes })) {
      const { nextOffset, isPart = false, ...read } = portion
      resolveOffset(fromOffset(nextOffset - 1))
      this.next.set(partition, nextOffset)
      hooks.batch({ partition, logEnd, readableEnd, nextOffset, ...read })
      // what was not decoded yet is fetched again
      if ((this.held && !isPart) || this.ended) return
      if (performance.now() - since < MAX_TURN_MS) continue
      await heartbeat()
      await immediate()
      if (this.ended) return
      since = performance.now()
    }
  }

  /**
   * Checks that the log is still the one that was assigned, and reports its ends and how many partitions it has.
   *
   * @returns whether the log may be another one: its positions must be asked for again
   */
  async look(): Promise<boolean> {
    const { cluster, lookup, hooks } = this.member
    const { description: known, partitions } = this
    if (known === null) return false
    const description = await lookup.describe()
    if (this.isOver) return false
    if (mayDiffer(known, description, partitions)) return true
    const total = description.partitions.length
    if (total > known.partitions.length) {
      hooks.grown(total)
      // kafkajs then rejoins by itself
      await cluster.refreshMetadata()
    }
    if (this.next.size === 0) return false
    const ends = await lookup.ends(partitions)
    if (!this.isOver) this.reportEnds(ends)
    return false
  }

  private reportEnds(ends: ReadonlyMap<number, Ends>): void {
    for (const [partition, { readableEnd, logEnd }] of ends) {
      const nextOffset = this.next.get(partition)
      if (nextOffset === undefined || nextOffset > readableEnd) continue // read on meanwhile
      this.readableEnds.set(partition, readableEnd)
      this.member.hooks.batch({ partition, records: [], nextOffset, logEnd, readableEnd })
    }
  }

  /** Bounds and committed offsets; null if the assignment has ended meanwhile. */
  private async lookUp(): Promise<Awaited<ReturnType<Lookup['assignment']>> | null> {
    const { lookup, options, signal } = this.member
    for (;;) {
      try {
        const ask = async () => (this.ended ? null : lookup.assignment(this.partitions))
        return await retry(ask, options, signal)
      } catch (error) {
        if (kafkaError(error, options).code !== 'KAFKA_TOPIC_MISSING') throw error
        await delay(BEFORE_RETRY, signal)
        await reachable(options, signal)
      }
    }
  }

  /** Logs who may have the other partitions. Never rejects. */
  private async explainShare(total: number): Promise<void> {
    const sharers = await this.member.lookup.sharers().catch(() => null)
    const error = sharers?.line ?? 'another member of the group has the others'
    const remedy = sharers?.remedy ?? 'Keep one bcod for each group and adapter.'
    const own = this.partitions.length
    this.log('warn', 'the group assigned only some of the partitions', { own, total, error, remedy })
  }

  private selection() {
    return [{ topic: this.member.options.topic, partitions: [...this.partitions] }]
  }

  private log(level: 'info' | 'warn', message: string, fields: Record<string, unknown>): void {
    const { log, groupId } = this.member.options
    log?.({ level, message, fields: { groupId, ...fields } })
  }
}

/** @param place  the topic, or one partition of it */
export const assignmentLost = (place: string): BcodError =>
  new BcodError('KAFKA_ASSIGNMENT_LOST', 'the group has given the partition away', { place })
