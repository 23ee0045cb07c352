import kafkajs from 'kafkajs'
import { BcodError, type ErrorCode } from '../../errors.js'
import { DEFAULT_CONNECT_TIMEOUT, type KafkaConnection } from './options.js'

/** Where a failure happened, for the place in its error. */
export interface FailurePlace {
  readonly brokers: readonly string[]
  readonly topic?: string
  readonly groupId?: string
}

/** A coded failure that kafkajs does not retry; it retries any other failure of a callback forever. */
export class FinalFailure extends kafkajs.KafkaJSNonRetriableError {
  override readonly cause: BcodError
  constructor(cause: BcodError) {
    super(cause.message)
    this.cause = cause
  }
}

/**
 * The coded error for an error of kafkajs, however deeply it is wrapped. KAFKA_UNREACHABLE covers everything temporary:
 * lost connections, timeouts, elections.
 */
export function kafkaError(error: unknown, at: FailurePlace): BcodError {
  const chain = causes(error)
  const coded = chain.find((each) => each instanceof BcodError)
  if (coded instanceof BcodError) return coded
  for (const [code, match, place] of KINDS) {
    const found = chain.find(match)
    if (found) return new BcodError(code, found.message, { place: place(at, found), cause: error })
  }
  const transient = chain.some((each) => each.retriable === true || TRANSIENT.has(each.name))
  const message = chain.at(-1)?.message ?? String(error)
  return new BcodError(transient ? 'KAFKA_UNREACHABLE' : 'KAFKA_FAILED', message, { place: brokers(at), cause: error })
}

/** Error for a start-up that timed out waiting for a broker; `last` is why the last attempt failed. */
export function unreachable(connection: KafkaConnection, last?: BcodError): BcodError {
  const { brokers, connectTimeout = DEFAULT_CONNECT_TIMEOUT } = connection
  const saysMore = last?.code !== 'KAFKA_UNREACHABLE' || (last.place ?? brokers.join(',')) !== brokers.join(',')
  if (last && saysMore) return last
  const reason = last ? `: ${last.message}` : ''
  return new BcodError('KAFKA_UNREACHABLE', `no broker answered within ${connectTimeout} ms${reason}`, {
    place: brokers.join(','),
    cause: last,
  })
}

/**
 * A broker answered at `first` but advertised another address, which does not answer: the most common mistake in a
 * Kafka setup, as clients are sent from the bootstrap address to the advertised one.
 */
export function advertisedUnreachable(first: string, advertised: string, error: BcodError): BcodError {
  const message = `the broker at ${first} answered and sent this client on to ${advertised}, its advertised address, which does not answer: ${error.message}`
  return new BcodError('KAFKA_UNREACHABLE', message, {
    ...{ place: advertised, cause: error },
    remedy: `Set advertised.listeners of the broker to an address that resolves and answers from here, or make ${advertised} do so (DNS, network, firewall). stream.brokers is right: it is asked first, and only for these addresses.`,
  })
}

/** Some partitions have no leader. */
export const leaderMissing = (topic: string, partitions: readonly number[]): BcodError =>
  new BcodError('KAFKA_LEADER_MISSING', `no broker leads partition ${partitions.join(', ')}`, { place: topic })

/** Fields of errors of kafkajs, Node's TLS and OpenSSL. */
interface Failure extends Error {
  readonly type?: unknown
  readonly code?: unknown
  readonly retriable?: unknown
  readonly topic?: unknown
  readonly partition?: unknown
}

const brokers = (at: FailurePlace): string => at.brokers.join(',')
const topic = (at: FailurePlace): string => at.topic ?? brokers(at)

/** kafkajs marks these as final although they are temporary. A forbidden group also shows as the first; the probe finds out. */
const TRANSIENT = new Set([
  'KafkaJSGroupCoordinatorNotFound',
  'KafkaJSLockTimeout',
  'KafkaJSTimeout',
  'KafkaJSNoBrokerAvailableError',
])

const TLS_CODES = /^(CERT_|ERR_TLS_|ERR_SSL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|EPROTO$)/
const LOST = new Set(['ILLEGAL_GENERATION', 'UNKNOWN_MEMBER_ID', 'REBALANCE_IN_PROGRESS', 'FENCED_INSTANCE_ID'])

type Kind = readonly [ErrorCode, (error: Failure) => boolean, (at: FailurePlace, error: Failure) => string]

/** The first match counts. */
const KINDS: readonly Kind[] = [
  ['KAFKA_CODEC_UNKNOWN', (e) => e.name === 'KafkaJSNotImplemented', topic],
  ['KAFKA_OFFSET_OUT_OF_RANGE', (e) => e.type === 'OFFSET_OUT_OF_RANGE', (at, e) => partition(e) ?? topic(at)],
  ['KAFKA_LOGIN_FAILED', (e) => e.name === 'KafkaJSSASLAuthenticationError' || hasType(e, /SASL/), brokers],
  ['KAFKA_TLS_FAILED', (e) => TLS_CODES.test(String(e.code)), brokers],
  ['KAFKA_NOT_AUTHORIZED', (e) => e.type === 'GROUP_AUTHORIZATION_FAILED', (at) => at.groupId ?? brokers(at)],
  ['KAFKA_NOT_AUTHORIZED', (e) => hasType(e, /_AUTHORIZATION_FAILED$/), topic],
  ['KAFKA_TOPIC_MISSING', (e) => hasType(e, /^(UNKNOWN_TOPIC_OR_PARTITION|INVALID_TOPIC_EXCEPTION)$/), topic],
  ['KAFKA_LEADER_MISSING', (e) => e.type === 'LEADER_NOT_AVAILABLE', topic],
  ['KAFKA_GROUP_SHARED', (e) => e.type === 'INCONSISTENT_GROUP_PROTOCOL', (at) => at.groupId ?? brokers(at)],
  ['KAFKA_ASSIGNMENT_LOST', (e) => LOST.has(String(e.type)), topic],
]

const hasType = (error: Failure, pattern: RegExp): boolean => pattern.test(String(error.type))

const partition = ({ topic, partition }: Failure): string | undefined =>
  topic === undefined ? undefined : `${topic}-${partition}`

/** The error, what caused it, and what it aggregates. */
function causes(error: unknown): Failure[] {
  const found: Failure[] = []
  const waiting = [error]
  for (let next = waiting.shift(); next instanceof Error && !found.includes(next); next = waiting.shift()) {
    found.push(next)
    waiting.push(next.cause, ...('errors' in next && Array.isArray(next.errors) ? next.errors : []))
    while (waiting.length > 0 && !(waiting[0] instanceof Error)) waiting.shift()
  }
  return found
}
