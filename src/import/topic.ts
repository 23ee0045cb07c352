import { encodeFeedback, type FeedbackDraft } from '../events/encode.js'

/** Publishes events and resolves when they are safe: `FeedbackProducer`. */
export interface Publisher {
  publish(events: readonly FeedbackDraft[]): Promise<void>
}

/** A request stays below what brokers take by default, 1 MB. */
const REQUEST_BYTES = 512 * 1024
const REQUEST_EVENTS = 500

/** Publishes the events in order, request by request. @throws what `publisher` and `events` throw */
export async function publishEvents(publisher: Publisher, events: AsyncIterable<FeedbackDraft>): Promise<void> {
  let waiting: FeedbackDraft[] = []
  let bytes = 0
  for await (const event of events) {
    const size = encodeFeedback(event).byteLength
    if (waiting.length === REQUEST_EVENTS || (waiting.length > 0 && bytes + size > REQUEST_BYTES)) {
      await publisher.publish(waiting)
      waiting = []
      bytes = 0
    }
    waiting.push(event)
    bytes += size
  }
  if (waiting.length > 0) await publisher.publish(waiting)
}
