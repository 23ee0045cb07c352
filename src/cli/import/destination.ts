import { loadConfig } from '../../config/config.js'
import { requireFor } from '../../config/requirements.js'
import type { FeedbackDraft } from '../../events/encode.js'
import { writeEvents } from '../../import/out-file.js'
import { publishEvents } from '../../import/topic.js'
import { sourcesOf } from '../config-options.js'
import type { ImportFlags } from './flags.js'

/** Where events go. */
export interface Destination {
  /** For the report: the file, or the topic. */
  readonly name: string
  /** Resolves when all are safe. */
  write(events: AsyncIterable<FeedbackDraft>): Promise<void>
  close(): Promise<void>
}

/**
 * The file of `--out`, or the topic, acknowledged by all in-sync replicas.
 *
 * @throws CONFIG_MISSING if there is neither
 */
export async function openDestination(flags: ImportFlags): Promise<Destination> {
  const { out } = flags
  if (out !== undefined) return { name: out, write: (events) => writeEvents(out, events), close: async () => undefined }
  const { stream } = requireFor(loadConfig(sourcesOf(flags)), 'import')
  const { FeedbackProducer } = await import('../../streams/kafka/producer.js')
  const { kafkaConnection } = await import('../../streams/kafka/connection.js')
  const producer = new FeedbackProducer(kafkaConnection(stream), stream.topic)
  return {
    name: `topic ${stream.topic}`,
    write: (events) => publishEvents(producer, events),
    close: () => producer.close(),
  }
}
