/** How to reach the brokers and log in. Durations in milliseconds. */
export interface KafkaConnection {
  /** `host:port`, one or more. */
  readonly brokers: readonly string[]
  /** @default 'bcod' */
  readonly clientId?: string
  readonly tls?: KafkaTls | null
  readonly sasl?: KafkaSasl | null
  /** How long a start waits for a broker to answer. @default 30_000 */
  readonly connectTimeout?: number
  /** Receives the log lines of the Kafka client; without it there are none. */
  readonly log?: KafkaLogger
}

export interface KafkaTls {
  readonly enabled: boolean
  /** PEM text, not a path. @default the system's certificate authorities */
  readonly ca?: string
  readonly cert?: string
  readonly key?: string
  /** @default true */
  readonly rejectUnauthorized?: boolean
}

export type KafkaSasl =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: TokenSource }

/** Returns the token for a login; called for each login. */
export type TokenSource = () => Promise<string>

export type KafkaLogger = (line: KafkaLogLine) => void

export interface KafkaLogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  /** Names of topics, groups and brokers, counts, error texts; never a key or a value of a record. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** What the feedback log needs besides a connection. */
export interface KafkaLogOptions extends KafkaConnection {
  readonly topic: string
  readonly groupId: string
  /** Dead-letter topic. @default `<topic>.dlq` */
  readonly dlq?: string
  /** The group reassigns the partitions after this long without a heartbeat. @default 30_000 */
  readonly sessionTimeout?: number
  /** Maximum bytes of a fetch, over all partitions. @default 10 MiB */
  readonly maxBytes?: number
  /** Maximum bytes of a fetch, per partition. @default 1 MiB */
  readonly maxBytesPerPartition?: number
  /** Maximum memory of a decompressed record batch; a larger one is unreadable. @default 32 MiB */
  readonly maxBatchBytes?: number
  /** Other members of the group are to have some of the partitions. @default false */
  readonly isShared?: boolean
  /** How long a fetch waits for records, and how long reading sleeps while paused. @default 100 */
  readonly maxWait?: number
}

export const DEFAULT_BATCH_BYTES = 32 * 2 ** 20
export const DEFAULT_CONNECT_TIMEOUT = 30_000
