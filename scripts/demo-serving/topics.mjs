// The topics of votes and of the answers that they are on.
import { setTimeout as sleep } from 'node:timers/promises'
import { ensureTopic } from '../../dist/streams/kafka/topics.js'

const TOPICS = ['feedback', 'feedback.completions']
const ATTEMPTS = 50

/** Creates those that are missing. */
export async function ensureTopics(bootstrap) {
  for (const topic of TOPICS) await ensure({ brokers: [bootstrap] }, topic, ATTEMPTS)
}

/** A broker that has just started may create a topic, and not know it yet when it is asked for its leader. */
async function ensure(connection, topic, attempts) {
  try {
    await ensureTopic(connection, { topic })
  } catch (error) {
    if (error.code !== 'KAFKA_TOPIC_MISSING' || attempts === 1) throw error
    await sleep(200)
    await ensure(connection, topic, attempts - 1)
  }
}
