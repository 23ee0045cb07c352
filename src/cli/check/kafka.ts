import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { kafkaConnection } from '../../streams/kafka/connection.js'
import { type Finding, fail, pass, warn } from '../doctor/finding.js'

/** A check does not wait as long as a daemon does. Milliseconds. */
const LONGEST_WAIT = 10_000

/** Broker, topic and dead-letter topic, as this user sees them. Nothing is created. */
export async function checkKafka({ stream }: Config): Promise<readonly Finding[]> {
  const { topic, dlq, groupId, brokers } = stream
  if (topic === null || dlq === null || brokers.length === 0) return []
  const { probe } = await import('../../streams/kafka/probe.js')
  const look = async (name: string): Promise<string | BcodError> => {
    try {
      const connection = kafkaConnection(stream)
      const connectTimeout = Math.min(stream.connectTimeout, LONGEST_WAIT)
      return await probe({ ...connection, connectTimeout, topic: name, groupId }, new AbortController().signal)
    } catch (error) {
      if (error instanceof BcodError) return error
      throw error
    }
  }
  const found = await look(topic)
  if (found instanceof BcodError && found.code !== 'KAFKA_TOPIC_MISSING')
    return [fail('kafka', found.line, found.remedy)]
  const broker = pass('kafka', typeof found === 'string' ? `cluster ${found}` : brokers.join(', '))
  const stamps = typeof found === 'string' ? [timesFinding(await timestampType(stream, topic))] : []
  return [broker, topicFinding(topic, found), ...stamps, deadLetterFinding(dlq, await look(dlq))]
}

/** `message.timestamp.type` of the topic; null if the service does not tell. */
async function timestampType(stream: Config['stream'], topic: string): Promise<string | null> {
  const { readSettings } = await import('../../streams/kafka/topics.js')
  const settings = await readSettings(kafkaConnection(stream), topic, ['message.timestamp.type'])
  return settings?.get('message.timestamp.type') ?? null
}

/** Hold-back holds with any clock of a producer; where the broker stamps the records it is exact in a backlog too. */
function timesFinding(type: string | null): Finding {
  if (type === 'LogAppendTime') return pass('times', 'the topic stamps the records itself (LogAppendTime)')
  const said = type === null ? 'the topic does not tell who sets the times' : `producers set the times (${type})`
  return warn(
    'times',
    `${said}: one that is off is put right, to when the record was read`,
    'Set message.timestamp.type=LogAppendTime on the topic: kafka-configs.sh --alter --topic TOPIC --add-config message.timestamp.type=LogAppendTime.',
  )
}

const topicFinding = (topic: string, found: string | BcodError): Finding =>
  found instanceof BcodError ? fail('topic', found.line, found.remedy) : pass('topic', topic)

/** The daemon creates a missing dead-letter topic if it has the right to. */
function deadLetterFinding(dlq: string, found: string | BcodError): Finding {
  if (!(found instanceof BcodError)) return pass('dead letters', dlq)
  return found.code === 'KAFKA_TOPIC_MISSING'
    ? warn('dead letters', `${dlq} does not exist yet`, 'bcod run makes it: grant CREATE on it, or create it now.')
    : fail('dead letters', found.line, found.remedy)
}
