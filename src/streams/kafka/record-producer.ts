import kafkajs, { type Producer } from 'kafkajs'
import { createClient, OUTLIVE_OUTAGES } from './client.js'
import { kafkaError } from './failure.js'
import type { KafkaConnection } from './options.js'
import { probe } from './probe.js'
import { toBuffer } from './records.js'

/** A record to publish. Records with the same key stay in order. */
export interface NewRecord {
  readonly key: string | null
  readonly value: Uint8Array
  readonly headers?: Readonly<Record<string, Uint8Array>>
}

/** Publishes records to one topic. */
export class RecordProducer {
  private readonly closing = new AbortController()
  private readonly producer: Producer
  private reachable: Promise<unknown> | null = null

  constructor(
    private readonly connection: KafkaConnection,
    readonly topic: string,
  ) {
    this.producer = createClient(connection, OUTLIVE_OUTAGES, this.closing.signal).producer({
      allowAutoTopicCreation: false,
      retry: { retries: 10 },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
  }

  /**
   * Resolves when all in-sync replicas hold the records. Rejects with a coded error; until one call has succeeded, with
   * KAFKA_UNREACHABLE if no broker answers within `connectTimeout`.
   */
  async send(records: readonly NewRecord[]): Promise<void> {
    const messages = records.map(({ key, value, headers = {} }) => ({
      key,
      value: toBuffer(value),
      headers: Object.fromEntries(Object.entries(headers).map(([name, bytes]) => [name, toBuffer(bytes)])),
    }))
    this.reachable ??= probe({ ...this.connection, topic: this.topic }, this.closing.signal)
    try {
      await this.reachable
    } catch (error) {
      this.reachable = null
      throw error
    }
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
