import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { type Finding, fail, pass, warn } from '../doctor/finding.js'
import { kafkaConnection } from '../kafka-connection.js'

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
  return [broker, topicFinding(topic, found), deadLetterFinding(dlq, await look(dlq))]
}

const topicFinding = (topic: string, found: string | BcodError): Finding =>
  found instanceof BcodError ? fail('topic', found.line, found.remedy) : pass('topic', topic)

/** The daemon makes the dead-letter topic where it is missing, if it may. */
function deadLetterFinding(dlq: string, found: string | BcodError): Finding {
  if (!(found instanceof BcodError)) return pass('dead letters', dlq)
  return found.code === 'KAFKA_TOPIC_MISSING'
    ? warn('dead letters', `${dlq} does not exist yet`, 'bcod run makes it: grant CREATE on it, or create it now.')
    : fail('dead letters', found.line, found.remedy)
}
