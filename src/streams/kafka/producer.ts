import kafkajs, { type Producer } from 'kafkajs'
import { encodeFeedback, type FeedbackDraft, STRUCTURED_HEADERS } from '../../events/encode.js'
import { createClient, OUTLIVE_OUTAGES } from './client.js'
import { kafkaError } from './failure.js'
import type { KafkaConnection } from './options.js'
import { probe } from './probe.js'
import { toBuffer } from './records.js'

/** Publishes feedback in its canonical form, keyed by subject, so votes on one completion stay in order. */
export class FeedbackProducer {
  private readonly closing = new AbortController()
  private readonly producer: Producer
  private reachable: Promise<unknown> | null = null

  constructor(
    private readonly connection: KafkaConnection,
    private readonly topic: string,
  ) {
    this.producer = createClient(connection, OUTLIVE_OUTAGES, this.closing.signal).producer({
      allowAutoTopicCreation: false,
      retry: { retries: 10 },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
  }

  /**
   * Resolves when all in-sync replicas hold the events. Rejects with a coded error; the first call with
   * KAFKA_UNREACHABLE if no broker answers within `connectTimeout`.
   */
  async publish(events: readonly FeedbackDraft[]): Promise<void> {
    const headers = Object.fromEntries(
      Object.entries(STRUCTURED_HEADERS).map(([name, value]) => [name, toBuffer(value)]),
    )
    const messages = events.map((event) => ({
      key: event.subject ?? null,
      value: toBuffer(encodeFeedback(event)),
      headers,
    }))
    this.reachable ??= probe({ ...this.connection, topic: this.topic }, this.closing.signal)
    await this.reachable
    try {
      await this.producer.connect()
      if (messages.length > 0) await this.producer.send({ topic: this.topic, acks: -1, messages })
    } catch (error) {
      throw kafkaError(error, { brokers: this.connection.brokers, topic: this.topic })
    }
  }

  async close(): Promise<void> {
    this.closing.abort()
    await this.producer.disconnect()
  }
}
