import type { ConsumerCrashEvent, Kafka } from 'kafkajs'
import { BcodError } from '../../errors.js'
import { AssignedPartitions, assignmentLost, type ConsumerHooks, type Member } from './assigned-partitions.js'
import { FinalFailure, kafkaError } from './failure.js'
import { consumerOf } from './inside.js'
import type { Lookup } from './lookup.js'
import type { KafkaLogOptions } from './options.js'
import { reachable } from './probe.js'
import { delay } from './retry.js'

const DEFAULT_SESSION_TIMEOUT = 30_000
const DEFAULT_MAX_WAIT = 100
const BEFORE_REJOIN = 500
/** Poll interval for added partitions, a recreated topic and the ends of partitions. */
const BETWEEN_LOOKS = 2000

/**
 * A member of the consumer group, through rebalances and crashes.
 *
 * After a join everything is paused before the first fetch; once `positionsFor` has resolved, the consumer seeks to its
 * offsets and resumes (`AssignedPartitions`).
 *
 * kafkajs refreshes metadata every five minutes and does not report empty fetches. This class polls the topic itself:
 * if the log may have been replaced, `positionsFor` is called again, and added partitions are joined.
 */
export class GroupConsumer {
  private readonly stopping = new AbortController()
  private assigned: AssignedPartitions | null = null
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

  stop(): void {
    this.stopping.abort()
  }

  pause(): void {
    this.held = true
    this.assigned?.pause()
  }

  resume(): void {
    this.held = false
    this.assigned?.resume()
    void this.look()
  }

  /**
   * See `FeedbackLog.commit`. Retries through an outage as long as the assignment lasts. A new assignment accepts commits
   * once its positions are set.
   */
  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    const { assigned } = this
    await this.loading
    if (assigned === null) throw assignmentLost(this.options.topic)
    await assigned.commit(offsets)
  }

  private async memberships(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
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
      await delay(BEFORE_REJOIN, signal)
      await reachable(this.options, signal)
    }
  }

  /** Joins, reads until a crash or `stop`, and leaves. Returns the crash, or null. */
  private async membership(): Promise<unknown> {
    const member = this.newMember()
    const { consumer, options, signal } = member
    const crashed = new Promise<ConsumerCrashEvent>((resolve) => consumer.on(consumer.events.CRASH, resolve))
    const stopped = aborted(signal)
    this.listen(member)
    let running: Promise<void> = Promise.resolve()
    try {
      await consumer.connect()
      await consumer.subscribe({ topics: [options.topic] })
      running = consumer.run({
        autoCommit: false,
        eachBatchAutoResolve: false,
        eachBatch: async (payload) => this.assigned?.read(payload).catch(final),
      })
      const crash = await Promise.race([crashed, stopped, running.then(() => crashed)])
      return crash?.payload.error ?? null
    } catch (error) {
      return signal.aborted ? null : error
    } finally {
      this.end()
      // a pending join must end first: kafkajs would continue to read after it, out of our control
      await running.catch(() => undefined)
      await consumer.disconnect().catch((error) => this.log('info', 'disconnecting failed', { error: String(error) }))
    }
  }

  private newMember(): Member {
    const { kafka, lookup, options, hooks } = this
    const { groupId, sessionTimeout = DEFAULT_SESSION_TIMEOUT } = options
    const kafkajs = consumerOf(kafka, {
      groupId,
      sessionTimeout,
      heartbeatInterval: Math.min(3000, Math.floor(sessionTimeout / 4)),
      maxWaitTimeInMs: options.maxWait ?? DEFAULT_MAX_WAIT,
      ...(options.maxBytes && { maxBytes: options.maxBytes }),
      ...(options.maxBytesPerPartition && { maxBytesPerPartition: options.maxBytesPerPartition }),
      allowAutoTopicCreation: false,
      // its crashes end in `run` above, which alone decides whether to join again
      retry: { retries: 30, restartOnFailure: async () => false },
    })
    const progressed = () => {
      this.outOfRange = false
    }
    return { ...kafkajs, lookup, options, hooks, signal: this.stopping.signal, progressed }
  }

  private listen(member: Member): void {
    const { consumer, options } = member
    const { GROUP_JOIN, REBALANCING, STOP, CRASH } = consumer.events
    consumer.on(GROUP_JOIN, ({ payload }) => this.assign(member, payload.memberAssignment[options.topic] ?? []))
    consumer.on(REBALANCING, () => this.end())
    consumer.on(STOP, () => this.end())
    consumer.on(CRASH, () => this.end())
  }

  /** Runs before the first fetch of the new generation. Assignments are loaded one at a time, in the order of the joins. */
  private assign(member: Member, partitions: readonly number[]): void {
    this.end()
    if (this.stopping.signal.aborted) return
    const assigned = new AssignedPartitions(partitions, member, this.held)
    this.assigned = assigned
    this.loading = this.loading
      .then(() => assigned.load())
      .catch((error) => {
        if (assigned.isOver) return // the next assignment asks again
        this.failure = error
        this.stop()
      })
  }

  /** Ends the assignment, if there is one. */
  private end(): void {
    const { assigned } = this
    this.assigned = null
    assigned?.end()
  }

  private async watch(): Promise<void> {
    const { signal } = this.stopping
    while (!signal.aborted) {
      await delay(BETWEEN_LOOKS, signal)
      await this.look()
    }
  }

  /** Looks at the topic, and assigns its partitions again if the log may be another one. */
  private async look(): Promise<void> {
    const { assigned } = this
    if (assigned === null) return
    try {
      if (!(await assigned.look()) || assigned.isOver) return
      this.log('info', 'the log may have changed under its reader: its last records are compared', {})
      this.assign(assigned.member, assigned.partitions)
    } catch (error) {
      this.log('debug', 'the topic could not be looked at', { error: String(error) })
    }
  }

  private log(level: 'debug' | 'info' | 'warn', message: string, fields: Record<string, unknown>): void {
    this.options.log?.({ level, message, fields: { groupId: this.options.groupId, ...fields } })
  }
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
