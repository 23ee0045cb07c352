import { join } from 'node:path'
import type { Config } from '../config/config.js'
import { encodeFeedback, type FeedbackDraft, STRUCTURED_HEADERS } from '../events/encode.js'
import { EmbeddedLog } from '../streams/embedded-log.js'
import { KafkaFeedbackLog } from '../streams/kafka/log.js'
import { FeedbackProducer } from '../streams/kafka/producer.js'
import { ensureTopic } from '../streams/kafka/topics.js'
import type { DemoLog } from './demo.js'
import { startBroker } from './kafka/broker.js'

/** The append-only log that is built in. */
export async function openEmbeddedLog(directory: string, { stream }: Config): Promise<DemoLog> {
  const log = new EmbeddedLog(join(directory, 'log'), stream.topic ?? 'feedback')
  const publish = async (events: readonly FeedbackDraft[]) => {
    const timestamp = Date.now()
    const stored = events.map((event) => ({
      timestamp,
      key: event.subject ? Buffer.from(event.subject) : null,
      value: encodeFeedback(event),
      headers: { ...STRUCTURED_HEADERS },
    }))
    log.append(stored)
  }
  return { log, publish, close: async () => undefined }
}

/** A real Kafka broker, started for the demo and stopped after it. */
export async function openKafkaLog(_directory: string, { stream }: Config): Promise<DemoLog> {
  const broker = await startBroker()
  try {
    const topic = stream.topic ?? 'feedback'
    const connection = { brokers: [broker.bootstrap] }
    await ensureTopic(connection, { topic, partitions: 1 })
    const log = new KafkaFeedbackLog({ ...connection, topic, groupId: stream.groupId })
    const writer = new FeedbackProducer(connection, topic)
    const close = async () => {
      await writer.close()
      await broker.stop()
    }
    return { log, publish: (events) => writer.publish(events), close }
  } catch (error) {
    await broker.stop()
    throw error
  }
}
