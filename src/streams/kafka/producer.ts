import { encodeFeedback, type FeedbackDraft, STRUCTURED_HEADERS } from '../../events/encode.js'
import type { KafkaConnection } from './options.js'
import { RecordProducer } from './record-producer.js'

/** Publishes feedback in its canonical form, keyed by subject, so votes on one completion stay in order. */
export class FeedbackProducer {
  private readonly records: RecordProducer

  constructor(connection: KafkaConnection, topic: string) {
    this.records = new RecordProducer(connection, topic)
  }

  /**
   * Resolves when all in-sync replicas hold the events. Rejects with a coded error; until one call has succeeded, with
   * KAFKA_UNREACHABLE if no broker answers within `connectTimeout`.
   */
  publish(events: readonly FeedbackDraft[]): Promise<void> {
    return this.records.send(
      events.map((event) => ({
        ...{ key: event.subject ?? null, value: encodeFeedback(event), headers: STRUCTURED_HEADERS },
      })),
    )
  }

  close(): Promise<void> {
    return this.records.close()
  }
}
