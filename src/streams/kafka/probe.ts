import type { Broker } from 'kafkajs'
import { BcodError } from '../../errors.js'
import { createClient, NO_RETRY } from './client.js'
import { advertisedUnreachable, kafkaError, leaderMissing, unreachable } from './failure.js'
import { addresses, clusterOf, connectedBroker, coordinatorOf, topicMetadata } from './inside.js'
import { DEFAULT_CONNECT_TIMEOUT, type KafkaConnection } from './options.js'
import { closed, delay, Waiting } from './retry.js'
import { describeTopic } from './topic-description.js'

/** A topic that was just created may take a moment until every broker knows it. */
const TOPIC_GRACE = 2000
const BETWEEN_ATTEMPTS = 200
const FOREVER = 2 ** 31 - 1

export interface ProbeOptions extends KafkaConnection {
  readonly topic: string
  readonly groupId?: string
}

/**
 * Resolves to the cluster's id once a broker lets this user see the topic and, if given, the group.
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
  const waiting = new Waiting(options.log)
  let last: BcodError | undefined
  try {
    while (!ended.aborted) {
      const outcome = await Promise.race([attempt(cluster, options), cutShort])
      if (typeof outcome === 'string') return outcome
      last = ended.aborted && last ? last : outcome
      const missing = last.code === 'KAFKA_TOPIC_MISSING' && Date.now() - started < TOPIC_GRACE
      if (!last.retryable && !missing) throw last
      waiting.because(last)
      await delay(BETWEEN_ATTEMPTS, ended)
    }
  } finally {
    // pending requests time out by themselves
    void cluster.disconnect().catch(() => undefined)
  }
  if (signal.aborted) throw closed()
  throw unreachable(options, last)
}

/** Waits for a broker without limit, or until `signal` aborts; rejects with errors that waiting cannot fix. */
export async function reachable(options: ProbeOptions, signal: AbortSignal): Promise<void> {
  await probe({ ...options, connectTimeout: FOREVER }, signal).catch((error) => {
    if (!signal.aborted) throw error
  })
}

type Cluster = ReturnType<typeof clusterOf>

/** The cluster's id, or the reason why not. */
async function attempt(cluster: Cluster, options: ProbeOptions): Promise<string | BcodError> {
  const { topic, groupId } = options
  try {
    await cluster.connect()
    const { partitions } = await describeTopic(await connectedBroker(cluster), topic)
    const leaderless = partitions.filter(({ leader }) => leader === null).map(({ partition }) => partition)
    if (leaderless.length > 0) return leaderMissing(topic, leaderless)
    await cluster.addTargetTopic(topic)
    await cluster.refreshMetadata()
    const leaders = new Set(partitions.map(({ leader }) => String(leader)))
    const brokers = await Promise.all([...leaders].map((nodeId) => reach(cluster, nodeId, options)))
    const broker = brokers[0] ?? (await connectedBroker(cluster))
    if (groupId !== undefined) await reach(cluster, await coordinatorOf(broker, groupId), options)
    return (await topicMetadata(broker, topic)).clusterId
  } catch (error) {
    return kafkaError(error, options)
  }
}

/** Connects to the broker at its advertised address, which the consumer will use. */
async function reach(cluster: Cluster, nodeId: string, options: ProbeOptions): Promise<Broker> {
  try {
    return await cluster.findBroker({ nodeId })
  } catch (error) {
    const coded = kafkaError(error, options)
    const { first, named } = addresses(cluster)
    const advertised = named.get(nodeId)
    if (coded.code !== 'KAFKA_UNREACHABLE' || advertised === undefined || advertised === first) throw error
    throw advertisedUnreachable(first, advertised, coded)
  }
}

function aborted(signal: AbortSignal): Promise<BcodError> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(new BcodError('KAFKA_UNREACHABLE', 'no answer')), { once: true })
  })
}
