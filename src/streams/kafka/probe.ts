import { BcodError } from '../../errors.js'
import { createClient, NO_RETRY } from './client.js'
import { isTransient, kafkaError, unreachable } from './failure.js'
import { DEFAULT_CONNECT_TIMEOUT, type KafkaConnection } from './options.js'
import { anyBroker, clusterOf, findCoordinator, topicMetadata } from './patch.js'
import { closed, pause } from './waiting.js'

/** Topics that were just created may take a moment until every broker knows them. */
const TOPIC_GRACE = 2000
const BETWEEN_ATTEMPTS = 200

export interface ProbeOptions extends KafkaConnection {
  readonly topic: string
  readonly groupId?: string
}

/**
 * Resolves to the cluster's id once a broker lets this user see the topic and, where one is named, the group.
 * Rejects with a coded error: at once when waiting cannot help (login, certificate, rights), when the topic stays
 * missing, with KAFKA_UNREACHABLE after `connectTimeout`, with KAFKA_CLOSED when `signal` aborts.
 */
export async function probe(options: ProbeOptions, signal: AbortSignal): Promise<string> {
  const { brokers, connectTimeout = DEFAULT_CONNECT_TIMEOUT } = options
  const started = Date.now()
  const deadline = AbortSignal.timeout(connectTimeout)
  const ended = AbortSignal.any([signal, deadline])
  const cluster = clusterOf(createClient(options, { ...NO_RETRY, retries: brokers.length - 1 }, ended))
  const cutShort = aborted(ended)
  let last: BcodError | undefined
  try {
    while (!ended.aborted) {
      const outcome = await Promise.race([attempt(cluster, options), cutShort])
      if (typeof outcome === 'string') return outcome
      last = ended.aborted && last ? last : outcome
      const missing = last.code === 'KAFKA_TOPIC_MISSING' && Date.now() - started < TOPIC_GRACE
      if (!isTransient(last) && !missing) throw last
      await pause(BETWEEN_ATTEMPTS, ended)
    }
  } finally {
    // pending requests end with their own time limit; nobody needs to wait for them
    void cluster.disconnect().catch(() => undefined)
  }
  if (signal.aborted) throw closed()
  throw unreachable(options, last)
}

type Cluster = ReturnType<typeof clusterOf>

/** The cluster's id, or why not. */
async function attempt(cluster: Cluster, options: ProbeOptions): Promise<string | BcodError> {
  try {
    await cluster.connect()
    await cluster.addTargetTopic(options.topic)
    await cluster.refreshMetadata()
    const broker = await anyBroker(cluster)
    if (options.groupId !== undefined) await findCoordinator(broker, options.groupId)
    return (await topicMetadata(broker, options.topic)).clusterId
  } catch (error) {
    return kafkaError(error, options)
  }
}

function aborted(signal: AbortSignal): Promise<BcodError> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(new BcodError('KAFKA_UNREACHABLE', 'no answer')), { once: true })
  })
}
