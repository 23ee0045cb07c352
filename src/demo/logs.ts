import { join } from 'node:path'
import type { Config } from '../config/config.js'
import { encodeFeedback, type FeedbackDraft, STRUCTURED_HEADERS } from '../events/encode.js'
import { EmbeddedLog } from '../streams/embedded-log.js'
import { KafkaFeedbackLog } from '../streams/kafka/log.js'
import { FeedbackProducer } from '../streams/kafka/producer.js'
import { ensureTopic } from '../streams/kafka/topics.js'
import type { FeedbackLog } from '../streams/source.js'
import { startBroker } from './kafka/broker.js'

/** A log and a way to publish to it: embedded, or a real broker. */
export interface DemoLog {
  /** The log as one daemon reads it, which closes it. The next daemon opens it again. */
  open(): FeedbackLog
  publish(events: readonly FeedbackDraft[]): Promise<void>
  close(): Promise<void>
}

/** The append-only log that is built in. It takes records while a daemon has it open. */
export interface DemoEmbeddedLog extends DemoLog {
  append(records: Parameters<EmbeddedLog['append']>[0]): void
}

export async function openEmbeddedLog(directory: string, { stream }: Pick<Config, 'stream'>): Promise<DemoEmbeddedLog> {
  let log: EmbeddedLog | null = null
  const open = () => {
    log = new EmbeddedLog(join(directory, 'log'), stream.topic ?? 'feedback')
    return log
  }
  const publish = async (events: readonly FeedbackDraft[]) => {
    const timestamp = Date.now()
    const stored = events.map((event) => ({
      timestamp,
      key: event.subject ? Buffer.from(event.subject) : null,
      value: encodeFeedback(event),
      headers: { ...STRUCTURED_HEADERS },
    }))
    log?.append(stored)
  }
  return { open, publish, append: (records) => log?.append(records), close: async () => undefined }
}

/** A real Kafka broker, started for the demo and stopped after it. */
export async function openKafkaLog(_directory: string, { stream }: Pick<Config, 'stream'>): Promise<DemoLog> {
  const broker = await startBroker()
  try {
    const topic = stream.topic ?? 'feedback'
    const connection = { brokers: [broker.bootstrap] }
    await ensureTopic(connection, { topic, partitions: 1 })
    const open = () => new KafkaFeedbackLog({ ...connection, topic, groupId: stream.groupId })
    const writer = new FeedbackProducer(connection, topic)
    const close = async () => {
      await writer.close()
      await broker.stop()
    }
    return { open, publish: (events) => writer.publish(events), close }
  } catch (error) {
    await broker.stop()
    throw error
  }
}
