import kafkajs, { type Kafka, type LogEntry, type RetryOptions, type SASLOptions } from 'kafkajs'
import { DEFAULT_CONNECT_TIMEOUT, type KafkaConnection, type KafkaLogger, type KafkaSasl } from './options.js'
import { installKafkaPatches } from './patches/install.js'

// nothing connects but through this file
installKafkaPatches()

/**
 * Retries that outlast an outage: the connection recovers within about a second of the broker's return, without a
 * rejoin. The defaults of kafkajs give up after half a minute.
 */
export const OUTLIVE_OUTAGES: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1000, retries: 1_000_000 }

/** A single attempt. */
export const NO_RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1000, retries: 0 }

/** A kafkajs client, not yet connected. Its retries stop once `signal` has aborted. */
export function createClient(connection: KafkaConnection, retry: RetryOptions, signal: AbortSignal): Kafka {
  const { clientId = 'bcod', connectTimeout = DEFAULT_CONNECT_TIMEOUT, sasl } = connection
  return new kafkajs.Kafka({
    // kafkajs asks at every connection; an empty list is the one answer that ends its retries
    brokers: () => (signal.aborted ? [] : [...connection.brokers]),
    clientId,
    connectionTimeout: Math.min(connectTimeout, 5000),
    requestTimeout: Math.max(1000, Math.min(connectTimeout, 30_000)),
    retry,
    ...security(connection),
    ...(sasl && { sasl: login(sasl) }),
    logLevel: connection.log ? kafkajs.logLevel.INFO : kafkajs.logLevel.NOTHING,
    logCreator: () => (entry) => connection.log && forward(connection.log, entry),
  })
}

function security({ tls }: KafkaConnection) {
  if (!tls?.enabled) return {}
  const { ca, cert, key, rejectUnauthorized = true } = tls
  return { ssl: { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }), rejectUnauthorized } }
}

/** Three mechanisms take user name and password; TypeScript needs each spelled out. */
function login(sasl: KafkaSasl): SASLOptions {
  if (sasl.mechanism === 'oauthbearer') {
    const { mechanism, token } = sasl
    return { mechanism, oauthBearerProvider: async () => ({ value: await token() }) }
  }
  const { mechanism, username, password } = sasl
  switch (mechanism) {
    case 'plain':
      return { mechanism, username, password }
    case 'scram-sha-256':
      return { mechanism, username, password }
    case 'scram-sha-512':
      return { mechanism, username, password }
  }
}

/** kafkajs logs every pause and resume as `info` and every retry as `error`: each is logged one level lower. */
function forward(
  log: KafkaLogger,
  { level, namespace, log: { message, timestamp, logger, stack, ...fields } }: LogEntry,
) {
  const levels = { [kafkajs.logLevel.ERROR]: 'warn', [kafkajs.logLevel.WARN]: 'info' } as const
  log({ level: levels[level as keyof typeof levels] ?? 'debug', message, fields: { namespace, ...fields } })
}
