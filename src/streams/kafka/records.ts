import type { IHeaders } from 'kafkajs'
import type { LogRecord } from '../../events/types.js'
import type { ReadRecord } from '../headers.js'

/** The headers as they were received, if the record still has them. */
export function headersOf(record: LogRecord): IHeaders {
  const headers: IHeaders = Object.create(null)
  for (const [name, value] of (record as ReadRecord).rawHeaders ?? Object.entries(record.headers))
    headers[name] = value === null || value instanceof Uint8Array ? toBuffer(value) : value.map(toBuffer)
  return headers
}

/** A Buffer for kafkajs, which encodes any other Uint8Array as text and fails on null. */
export function toBuffer(value: Uint8Array | string | null | undefined): Buffer {
  if (value == null) return Buffer.alloc(0)
  if (Buffer.isBuffer(value)) return value
  return typeof value === 'string' ? Buffer.from(value) : Buffer.from(value.buffer, value.byteOffset, value.byteLength)
}
