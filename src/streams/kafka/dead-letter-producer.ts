import kafkajs, { type Admin, type Kafka, type Producer, type RetryOptions } from 'kafkajs'
import { BcodError } from '../../errors.js'
import type { DeadLetter } from '../source.js'
import { createClient } from './client.js'
import { DEFAULT_MESSAGE_BYTES, type DeadLetterMessage, deadLetterMessage, inRequests } from './dead-letter-message.js'
import { kafkaError } from './failure.js'
import type { Lookup } from './lookup.js'
import type { KafkaLogOptions } from './options.js'
import { retry } from './retry.js'
import { createTopic } from './topics.js'

/** Below this limit even the error headers may not fit; a smaller limit fails with the broker's error. */
const MIN_LIMIT = 2048
/** How long to wait before asking again a service that does not report the topic's limit. */
const ASK_AGAIN = 600_000
/** This many lost connections when creating a topic, with other requests answered in between, count as a refusal. */
const REFUSALS = 3
const FEW_RETRIES: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1000, retries: 2 }

/** Writes dead letters in order, and resolves when the topic has acknowledged them. Retries through outages until closed. */
export class DeadLetterProducer {
  readonly topic: string
  private readonly producer: Producer
  private readonly admin: Admin
  private limit: number | null = null
  private askAgainAt = Number.NEGATIVE_INFINITY

  constructor(
    kafka: Kafka,
    private readonly lookup: Lookup,
    private readonly options: KafkaLogOptions,
    private readonly signal: AbortSignal,
  ) {
    this.topic = options.dlq ?? `${options.topic}.dlq`
    this.admin = createClient(options, FEW_RETRIES, signal).admin()
    this.producer = kafka.producer({
      allowAutoTopicCreation: false,
      retry: { retries: 5 },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
  }

  /** Creates the topic if it is missing. @throws KAFKA_DLQ_MISSING if that is not allowed or not supported */
  ensureTopic(): Promise<void> {
    let lost = 0
    return this.retry(async () => {
      if ((await this.lookup.replicas(this.topic)) !== null) return
      const replicationFactor = (await this.lookup.replicas(this.options.topic)) ?? 1
      try {
        await this.admin.connect()
        await createTopic(this.admin, { topic: this.topic, partitions: 1, replicationFactor })
      } catch (error) {
        const coded = kafkaError(error, this.place())
        const refused =
          coded.code === 'KAFKA_UNREACHABLE'
            ? ++lost === REFUSALS
            : coded.code === 'KAFKA_NOT_AUTHORIZED' || coded.code === 'KAFKA_FAILED'
        if (!refused) throw coded
        throw new BcodError('KAFKA_DLQ_MISSING', coded.message, { place: this.topic, cause: error })
      }
    })
  }

  async write(letters: readonly DeadLetter[]): Promise<void> {
    if (letters.length === 0) return
    for (let left = letters; left.length > 0; ) {
      const limit = this.limit ?? (await this.largestMessage())
      left = left.slice(await this.writeWithin(limit, left))
      if (left.length > 0) this.limit = Math.floor(limit / 2)
      else if (Date.now() >= this.askAgainAt) this.limit = limit
    }
  }

  async close(): Promise<void> {
    await Promise.allSettled([this.producer.disconnect(), this.admin.disconnect()])
  }

  /** The number acknowledged before the broker rejected a batch as too large. */
  private async writeWithin(limit: number, letters: readonly DeadLetter[]): Promise<number> {
    let written = 0
    const cut = letters.map((letter) => deadLetterMessage(letter, limit))
    for (const batch of inRequests(cut, limit)) {
      if (!(await this.send(batch, limit > MIN_LIMIT))) break
      written += batch.length
    }
    return written
  }

  /** False if the broker rejects the batch as too large and it `mayShrink`. */
  private send(messages: DeadLetterMessage[], mayShrink: boolean): Promise<boolean> {
    return this.retry(async () => {
      await this.producer.connect()
      try {
        await this.producer.send({ topic: this.topic, acks: -1, messages })
        return true
      } catch (error) {
        const coded = kafkaError(error, this.place())
        if (coded.code === 'KAFKA_TOPIC_MISSING') {
          await this.ensureTopic()
          throw new BcodError('KAFKA_UNREACHABLE', 'the dead-letter topic was created again', { place: this.topic })
        }
        if (mayShrink && isTooLarge(error)) return false
        throw coded
      }
    })
  }

  /** The topic's `max.message.bytes`; Kafka's default if the service does not report it. */
  private async largestMessage(): Promise<number> {
    if (Date.now() < this.askAgainAt) return DEFAULT_MESSAGE_BYTES
    const settings = await this.lookup.settings(this.topic, ['max.message.bytes'])
    const told = Number(settings?.get('max.message.bytes')) || null
    if (told === null) this.askAgainAt = Date.now() + ASK_AGAIN
    return told ?? DEFAULT_MESSAGE_BYTES
  }

  private retry<T>(attempt: () => Promise<T>): Promise<T> {
    return retry(attempt, this.place(), this.signal)
  }

  private place() {
    return { brokers: this.options.brokers, topic: this.topic, log: this.options.log }
  }
}

const isTooLarge = (error: unknown): boolean =>
  error instanceof Error &&
  (('type' in error && (error.type === 'MESSAGE_TOO_LARGE' || error.type === 'RECORD_LIST_TOO_LARGE')) ||
    isTooLarge(error.cause))
