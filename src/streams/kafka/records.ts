import type { IHeaders, KafkaMessage } from 'kafkajs'
import type { LogRecord } from '../../events/types.js'
import { toOffset } from './offsets.js'

/** A record with its headers as they came: Kafka allows a name more than once. */
export interface KafkaRecord extends LogRecord {
  readonly rawHeaders: IHeaders
}

export function toRecord(topic: string, partition: number, message: KafkaMessage): KafkaRecord {
  const rawHeaders = readHeaders(message.headers ?? {})
  return {
    topic,
    partition,
    offset: toOffset(message.offset),
    timestamp: Number(message.timestamp),
    key: message.key,
    value: message.value,
    headers: lastOfEach(rawHeaders),
    rawHeaders,
  }
}

/** kafkajs adds what every object inherits to a header of such a name (`constructor`, `__proto__`): bytes alone are kept. */
function readHeaders(headers: IHeaders): IHeaders {
  const read: IHeaders = Object.create(null)
  for (const [name, value] of Object.entries(headers))
    read[name] = Array.isArray(value) ? value.filter((each) => each === null || Buffer.isBuffer(each)) : value
  return read
}

/** The headers as they came, where the record still has them. */
export function headersOf(record: LogRecord): IHeaders {
  const headers: IHeaders = Object.create(null)
  for (const [name, value] of Object.entries((record as Partial<KafkaRecord>).rawHeaders ?? record.headers))
    headers[name] = Array.isArray(value) ? value.map(bytes) : bytes(value)
  return headers
}

/** kafkajs writes a Uint8Array that is no Buffer as text, and fails on null. */
export function bytes(value: Uint8Array | string | null | undefined): Buffer {
  if (value == null) return Buffer.alloc(0)
  if (Buffer.isBuffer(value)) return value
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}

/** Of a repeated name the last value counts, as in Kafka's own `Headers.lastHeader`; a null value is empty here. */
function lastOfEach(raw: IHeaders): Record<string, Uint8Array> {
  const headers: Record<string, Uint8Array> = Object.create(null)
  for (const [name, value] of Object.entries(raw)) headers[name] = bytes(Array.isArray(value) ? value.at(-1) : value)
  return headers
}
