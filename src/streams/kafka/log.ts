import { setTimeout as sleep } from 'node:timers/promises'
import type { Kafka } from 'kafkajs'
import { Observable } from 'rxjs'
import { BcodError } from '../../errors.js'
import type { LogRecord } from '../../events/types.js'
import type { DeadLetter, FeedbackLog, RecordBatch } from '../source.js'
import { createClient, OUTLIVE_OUTAGES } from './client.js'
import { GroupConsumer } from './consumer.js'
import { DeadLetterProducer } from './dead-letter-producer.js'
import { clusterOf } from './inside.js'
import { Lookup } from './lookup.js'
import type { KafkaLogOptions } from './options.js'
import { probe } from './probe.js'
import { closed, retry } from './retry.js'

/** How long to wait for the broker's answer when leaving the group. */
const CLOSE_LIMIT = 10_000

/**
 * Feedback from a Kafka topic. Nothing connects before the first call; the first call of any kind waits for a broker
 * at most `connectTimeout` and checks topic, group and dead-letter topic. After that it retries through outages.
 * All errors are coded (KAFKA_*).
 */
export class KafkaFeedbackLog implements FeedbackLog {
  readonly topic: string
  private readonly closing = new AbortController()
  private readonly kafka: Kafka
  private readonly lookup: Lookup
  private readonly deadLetters: DeadLetterProducer
  private reader: GroupConsumer | null = null
  private left: Promise<void> = Promise.resolve()
  private held = false
  private identity: Promise<string> | null = null

  constructor(private readonly options: KafkaLogOptions) {
    this.topic = options.topic
    this.kafka = createClient(options, OUTLIVE_OUTAGES, this.closing.signal)
    this.lookup = new Lookup(clusterOf(this.kafka), options)
    this.deadLetters = new DeadLetterProducer(this.kafka, this.lookup, options, this.closing.signal)
  }

  clusterId(): Promise<string> {
    this.identity ??= this.start().catch((error) => {
      this.identity = null
      throw error
    })
    return this.identity
  }

  read(hooks: Parameters<FeedbackLog['read']>[0]): Observable<RecordBatch> {
    return new Observable((subscriber) => {
      if (this.reader) throw new BcodError('INTERNAL', 'the log is being read already')
      const reader = new GroupConsumer(this.kafka, this.lookup, this.options, {
        positionsFor: (assignment) => hooks.positionsFor(assignment),
        revoked: () => hooks.revoked(),
        grown: (total) => hooks.grown?.(total),
        batch: (batch) => subscriber.next(batch),
      })
      if (this.held) reader.pause()
      this.reader = reader
      this.left = this.left
        .then(() => this.clusterId())
        .then(() => reader.run())
        .finally(() => {
          if (this.reader === reader) this.reader = null
        })
        .then(
          () => subscriber.complete(),
          (error) => subscriber.error(error),
        )
      return () => {
        reader.stop()
        this.reader = null
      }
    })
  }

  pause(): void {
    this.held = true
    this.reader?.pause()
  }

  resume(): void {
    this.held = false
    this.reader?.resume()
  }

  async members(): Promise<number> {
    await this.clusterId()
    return retry(() => this.lookup.members(), this.options, this.closing.signal)
  }

  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    if (offsets.size === 0) return
    if (!this.reader) throw new BcodError('KAFKA_ASSIGNMENT_LOST', 'the group was left', { place: this.topic })
    await this.reader.commit(offsets)
  }

  async recordAt(partition: number, offset: number): Promise<LogRecord | null> {
    await this.clusterId()
    return retry(() => this.lookup.recordAt(partition, offset), this.options, this.closing.signal)
  }

  async retentionMs(): Promise<number | null> {
    await this.clusterId()
    return this.lookup.retentionMs()
  }

  async writeDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    await this.clusterId()
    await this.deadLetters.write(letters)
  }

  /** Leaves the group, ends the stream and all pending calls (KAFKA_CLOSED), and disconnects. */
  async close(): Promise<void> {
    this.closing.abort()
    this.reader?.stop()
    const limit = sleep(CLOSE_LIMIT, undefined, { ref: false })
    await Promise.race([this.left, limit])
    await Promise.race([Promise.allSettled([this.lookup.close(), this.deadLetters.close()]), limit])
  }

  private async start(): Promise<string> {
    if (this.closing.signal.aborted) throw closed()
    const clusterId = await probe(this.options, this.closing.signal)
    await this.deadLetters.ensureTopic()
    return clusterId
  }
}
