import { setImmediate as immediate } from 'node:timers/promises'
import type { Cluster, Consumer, ConsumerCrashEvent, EachBatchPayload, Kafka } from 'kafkajs'
import { BcodError } from '../../errors.js'
import type { Assignment, RecordBatch } from '../source.js'
import { portions } from '../wire/portions.js'
import { FinalFailure, kafkaError } from './failure.js'
import { fetchOf } from './fetched.js'
import { consumerOf } from './inside.js'
import type { Ends, Lookup } from './lookup.js'
import { fromOffset } from './offsets.js'
import { DEFAULT_BATCH_BYTES, type KafkaLogOptions } from './options.js'
import { probe } from './probe.js'
import { delay, retry } from './retry.js'
import { mayDiffer, type TopicDescription } from './topic-description.js'

const DEFAULT_SESSION_TIMEOUT = 30_000
const DEFAULT_MAX_WAIT = 100
const BEFORE_REJOIN = 500
/** Poll interval for added partitions, a recreated topic and the ends of partitions. */
const BETWEEN_LOOKS = 2000
const FOREVER = 2 ** 31 - 1
/** Decoding a fetch yields to the event loop after this long. */
const MAX_TURN_MS = 20

export interface ConsumerHooks {
  positionsFor(assignment: Assignment): Promise<ReadonlyMap<number, number>>
  revoked(): void
  grown(total: number): void
  batch(batch: RecordBatch): void
}

/**
 * A member of the consumer group, through rebalances and crashes.
 *
 * After a join everything is paused before the first fetch; once `positionsFor` has resolved, the consumer seeks to its
 * offsets and resumes. The object that holds an assignment is its epoch: asynchronous work compares it with the current
 * one and stops if it has changed. Batches are emitted without waiting, so heartbeats continue.
 *
 * kafkajs refreshes metadata every five minutes and does not report empty fetches. This class polls the topic itself:
 * if the log may have been replaced, `positionsFor` is called again, and added partitions are joined.
 */
export class GroupConsumer {
  private readonly stopping = new AbortController()
  private consumer: Consumer | null = null
  private cluster: Cluster | null = null
  private assigned: Assigned | null = null
  /** No record was read since an offset was out of range. */
  private outOfRange = false
  private loading: Promise<void> = Promise.resolve()
  private failure: unknown = null
  private held = false

  constructor(
    private readonly kafka: Kafka,
    private readonly lookup: Lookup,
    private readonly options: KafkaLogOptions,
    private readonly hooks: ConsumerHooks,
  ) {}

  /**
   * Resolves once `stop` was called and the group is left; rejects if reading cannot continue, with a coded error or
   * with the error of `positionsFor`.
   */
  async run(): Promise<void> {
    const watched = this.watch()
    try {
      await this.memberships()
    } finally {
      this.stop()
      await watched
    }
    if (this.failure !== null) throw this.failure
  }

  private async memberships(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      const crash = await this.membership()
      if (crash === null) break
      const coded = kafkaError(crash, this.options)
      // the next assignment finds out why: the log was replaced, truncated, or has expired unread records
      const positionLost = coded.code === 'KAFKA_OFFSET_OUT_OF_RANGE' && !this.outOfRange
      if (positionLost) this.outOfRange = true
      // a topic may be about to be recreated: `reachable` gives it a moment
      const healing = ['KAFKA_ASSIGNMENT_LOST', 'KAFKA_TOPIC_MISSING'].includes(coded.code)
      if (!coded.retryable && !healing && !positionLost) throw coded
      this.log('warn', 'the consumer stopped and will rejoin', { error: coded.message })
      await delay(BEFORE_REJOIN, this.stopping.signal)
      await this.reachable()
    }
  }

  stop(): void {
    this.stopping.abort()
  }

  pause(): void {
    this.held = true
    this.applyPause('pause')
  }

  resume(): void {
    this.held = false
    this.applyPause('resume')
    void this.look()
  }

  /**
   * See `FeedbackLog.commit`. Retries through an outage as long as the assignment lasts. A new assignment accepts commits
   * once its positions are set.
   */
  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    const { assigned, consumer } = this
    const { topic } = this.options
    await this.loading
    const lost = [...offsets.keys()].find((partition) => !assigned?.next.has(partition))
    if (lost !== undefined || !consumer) throw this.lost(lost)
    const commits = [...offsets].map(([partition, offset]) => ({ topic, partition, offset: fromOffset(offset) }))
    await retry(
      async () => {
        if (this.assigned !== assigned) throw this.lost()
        await consumer.commitOffsets(commits)
      },
      this.options,
      this.stopping.signal,
    )
  }

  /** Waits for a broker without limit; rejects with errors that waiting cannot fix, such as a revoked permission. */
  private async reachable(): Promise<void> {
    const { signal } = this.stopping
    await probe({ ...this.options, connectTimeout: FOREVER }, signal).catch((error) => {
      if (!signal.aborted) throw error
    })
  }

  /** Joins, reads until a crash or `stop`, and leaves. Returns the crash, or null. */
  private async membership(): Promise<unknown> {
    const { topic, groupId, sessionTimeout = DEFAULT_SESSION_TIMEOUT } = this.options
    const { consumer, cluster } = consumerOf(this.kafka, {
      groupId,
      sessionTimeout,
      heartbeatInterval: Math.min(3000, Math.floor(sessionTimeout / 4)),
      maxWaitTimeInMs: this.options.maxWait ?? DEFAULT_MAX_WAIT,
      ...(this.options.maxBytes && { maxBytes: this.options.maxBytes }),
      ...(this.options.maxBytesPerPartition && { maxBytesPerPartition: this.options.maxBytesPerPartition }),
      allowAutoTopicCreation: false,
      // its crashes end in `run` above, which alone decides whether to join again
      retry: { retries: 30, restartOnFailure: async () => false },
    })
    const crashed = new Promise<ConsumerCrashEvent>((resolve) => consumer.on(consumer.events.CRASH, resolve))
    const stopped = aborted(this.stopping.signal)
    this.listen(consumer)
    this.consumer = consumer
    this.cluster = cluster
    let running: Promise<void> = Promise.resolve()
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [topic] })
      running = consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: (payload) => this.onBatch(consumer, payload).catch(final),
      })
      const crash = await Promise.race([crashed, stopped, running.then(() => crashed)])
      return crash?.payload.error ?? null
    } catch (error) {
      return this.stopping.signal.aborted ? null : error
    } finally {
      this.end()
      // a pending join must end first: kafkajs would continue to read after it, out of our control
      await running.catch(() => undefined)
      await consumer.disconnect().catch((error) => this.log('info', 'disconnecting failed', { error: String(error) }))
    }
  }

  private listen(consumer: Consumer): void {
    const { GROUP_JOIN, REBALANCING, STOP, CRASH } = consumer.events
    consumer.on(GROUP_JOIN, ({ payload }) => this.onJoin(consumer, payload.memberAssignment[this.options.topic] ?? []))
    consumer.on(REBALANCING, () => this.end())
    consumer.on(STOP, () => this.end())
    consumer.on(CRASH, () => this.end())
  }

  /** Runs before the first fetch of the new generation. */
  private onJoin(consumer: Consumer, partitions: readonly number[]): void {
    this.end()
    if (this.stopping.signal.aborted) return
    const assigned: Assigned = { partitions, next: new Map(), ends: new Map(), announced: false, description: null }
    this.assigned = assigned
    if (partitions.length > 0) consumer.pause(this.selection(assigned))
    this.loading = this.loading
      .then(() => this.load(consumer, assigned))
      .catch((error) => {
        if (this.assigned !== assigned || this.stopping.signal.aborted) return // the next assignment asks again
        this.failure = error
        this.stop()
      })
  }

  /** Gets the positions, seeks to them and starts reading. One at a time, in the order of the joins. */
  private async load(consumer: Consumer, assigned: Assigned): Promise<void> {
    const current = () => this.assigned === assigned
    if (!current()) return
    const { partitions } = assigned
    const assignment = await this.lookUp(assigned)
    if (!current() || assignment === null) return
    if (partitions.length < assignment.total) void this.explainShare(partitions.length, assignment.total)
    assigned.announced = true
    assigned.description = assignment.description
    for (const [partition, { end }] of assignment.bounds) assigned.ends.set(partition, end)
    const positions = await this.hooks.positionsFor(assignment)
    if (!current()) return
    for (const partition of partitions) {
      const offset = positions.get(partition)
      if (offset === undefined) throw new BcodError('INTERNAL', `no position for partition ${partition}`)
      consumer.seek({ topic: this.options.topic, partition, offset: fromOffset(offset) })
      assigned.next.set(partition, offset)
    }
    if (!this.held) this.applyPause('resume')
  }

  /** Logs who may have the other partitions. Never rejects. */
  private async explainShare(own: number, total: number): Promise<void> {
    const sharers = await this.lookup.sharers().catch(() => null)
    const error = sharers?.line ?? 'another member of the group has the others'
    const remedy = sharers?.remedy ?? 'Keep one bcod for each group and adapter.'
    this.log('warn', 'the group assigned only some of the partitions', { own, total, error, remedy })
  }

  /** Bounds and committed offsets of an assignment; null if it has ended meanwhile. */
  private async lookUp(assigned: Assigned): Promise<Awaited<ReturnType<Lookup['assignment']>> | null> {
    const { signal } = this.stopping
    for (;;) {
      try {
        const ask = async () => (this.assigned === assigned ? this.lookup.assignment(assigned.partitions) : null)
        return await retry(ask, this.options, signal)
      } catch (error) {
        if (kafkaError(error, this.options).code !== 'KAFKA_TOPIC_MISSING') throw error
        await delay(BEFORE_REJOIN, signal)
        await this.reachable()
      }
    }
  }

  /** Emits what a fetch returned for a partition, portion by portion. */
  private async onBatch(consumer: Consumer, { batch, resolveOffset, heartbeat }: EachBatchPayload): Promise<void> {
    const { topic, maxBatchBytes = DEFAULT_BATCH_BYTES } = this.options
    const { assigned } = this
    const fetch = fetchOf(batch)
    const { partition, highWatermark: logEnd } = fetch
    const expected = assigned?.next.get(partition)
    if (!assigned || expected === undefined) return // of an earlier assignment; the present one seeks before it reads
    if (fetch.fetchedOffset !== expected) {
      this.log('info', 'dropped a batch that does not follow the last one', { topic, partition, expected })
      consumer.seek({ topic, partition, offset: fromOffset(expected) })
      return
    }
    // the later of both is the newer
    const readableEnd = Math.max(fetch.readableEnd, assigned.ends.get(partition) ?? 0)
    this.outOfRange = false
    let since = performance.now()
    for (const portion of this.held ? [] : portions(fetch, expected, { maxBatchBytes })) {
      const { nextOffset, isPart = false, ...read } = portion
      resolveOffset(fromOffset(nextOffset - 1))
      assigned.next.set(partition, nextOffset)
      this.hooks.batch({ partition, logEnd, readableEnd, nextOffset, ...read })
      // what was not decoded yet is fetched again
      if ((this.held && !isPart) || this.assigned !== assigned) return
      if (performance.now() - since < MAX_TURN_MS) continue
      await heartbeat()
      await immediate()
      if (this.assigned !== assigned) return
      since = performance.now()
    }
  }

  /** Ends the assignment, if there is one. */
  private end(): void {
    const { assigned } = this
    this.assigned = null
    if (assigned?.announced) this.hooks.revoked()
  }

  private async watch(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      await delay(BETWEEN_LOOKS, signal)
      await this.look()
    }
  }

  /** Checks that the log is still the one that was assigned, and reports its ends. Does nothing while no broker answers. */
  private async look(): Promise<void> {
    const { assigned, consumer } = this
    if (!assigned?.description || !consumer) return
    const current = () => this.assigned === assigned && !this.stopping.signal.aborted
    try {
      const description = await this.lookup.describe()
      if (!current()) return
      if (mayDiffer(assigned.description, description, assigned.partitions)) {
        this.log('info', 'the log may have changed under its reader: its last records are compared', {})
        this.onJoin(consumer, assigned.partitions)
        return
      }
      const total = description.partitions.length
      if (total > assigned.description.partitions.length) {
        this.hooks.grown(total)
        // kafkajs then rejoins by itself
        await this.cluster?.refreshMetadata()
      }
      if (assigned.next.size === 0) return
      const ends = await this.lookup.ends(assigned.partitions)
      if (current()) this.reportEnds(assigned, ends)
    } catch (error) {
      this.log('debug', 'the topic could not be looked at', { error: String(error) })
    }
  }

  private reportEnds(assigned: Assigned, ends: ReadonlyMap<number, Ends>): void {
    for (const [partition, { readableEnd, logEnd }] of ends) {
      const nextOffset = assigned.next.get(partition)
      if (nextOffset === undefined || nextOffset > readableEnd) continue // read on meanwhile
      assigned.ends.set(partition, readableEnd)
      this.hooks.batch({ partition, records: [], nextOffset, logEnd, readableEnd })
    }
  }

  private applyPause(verb: 'pause' | 'resume'): void {
    const { assigned, consumer } = this
    if (assigned && assigned.next.size > 0) consumer?.[verb](this.selection(assigned))
  }

  private selection({ partitions }: Assigned) {
    return [{ topic: this.options.topic, partitions: [...partitions] }]
  }

  private lost(partition?: number): BcodError {
    const { topic } = this.options
    return new BcodError('KAFKA_ASSIGNMENT_LOST', 'the group has given the partition away', {
      place: partition === undefined ? topic : `${topic}-${partition}`,
    })
  }

  private log(level: 'debug' | 'info' | 'warn', message: string, fields: Record<string, unknown>): void {
    this.options.log?.({ level, message, fields: { groupId: this.options.groupId, ...fields } })
  }
}

interface Assigned {
  readonly partitions: readonly number[]
  /** The offset to read next of each partition; empty until the positions are known. */
  readonly next: Map<number, number>
  /** The last known readable end of each partition. */
  readonly ends: Map<number, number>
  /** The topic at the time of the assignment; null until it is known. */
  description: TopicDescription | null
  /** Whether `positionsFor` was called, so that `revoked` must be. */
  announced: boolean
}

/** Keeps kafkajs from retrying coded errors. */
const final = (error: unknown): never => {
  throw error instanceof BcodError ? new FinalFailure(error) : error
}

const aborted = (signal: AbortSignal): Promise<null> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve(null)
    signal.addEventListener('abort', () => resolve(null), { once: true })
  })
