import { BcodError } from '../errors.js'
import { FEEDBACK_TYPE } from './cloud-event.js'
import { describe, invalidFeedback, name, utf8 } from './fields.js'
import { isJsonObject, type JsonObject, parseJsonText } from './json.js'
import type { LogRecord } from './types.js'

/** Whether the envelopes of Kafka Connect and Debezium are taken off; else they are errors that name them. */
export type Unwrap = 'auto' | 'none'

/** More layers than any chain of bridges makes. */
const MAX_LAYERS = 4

/**
 * Takes off what bridges put around a JSON value: it may be a JSON string with JSON in it (a serialiser ran twice), and
 * it may be Kafka Connect's `{schema, payload}` (`schemas.enable=true`). Neither can be a vote itself.
 *
 * @throws FEEDBACK_INVALID if a text holds no JSON, or `unwrap` is none and Connect's envelope is there
 */
export function withoutLayers(value: unknown, place: string, unwrap: Unwrap): unknown {
  let inner = value
  for (let layer = 0; layer < MAX_LAYERS; layer++) {
    if (typeof inner === 'string') inner = parsedText(inner, place)
    else if (isConnect(inner)) {
      if (unwrap === 'none') throw invalidFeedback(place, `Kafka Connect's envelope (schema, payload)${TAKE_OFF}`)
      inner = inner.payload
    } else break
  }
  return inner
}

/**
 * The data of a CloudEvent, given as JSON, as a text with JSON in it, or as `data_base64`.
 *
 * @throws FEEDBACK_INVALID
 */
export function dataOf({ data, data_base64: base64 }: JsonObject, unwrap: Unwrap): unknown {
  if (base64 === undefined || base64 === null) return withoutLayers(data, 'data', unwrap)
  if (data !== undefined && data !== null) throw invalidFeedback('data_base64', 'beside data: one of them is too much')
  if (typeof base64 !== 'string' || !BASE64.test(base64)) {
    throw invalidFeedback('data_base64', `expected base64, got ${describe(base64)}`)
  }
  return withoutLayers(Buffer.from(base64, 'base64').toString(), 'data_base64', unwrap)
}

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** The relevant attributes of a CloudEvent that another program has wrapped around ours. */
export function ownAttributes(attributes: JsonObject): JsonObject {
  const { type } = attributes
  if (type === DAPR_TYPE) return { ...attributes, type: FEEDBACK_TYPE }
  if (typeof type === 'string' && type.startsWith(DEBEZIUM_TYPE)) {
    throw invalidFeedback(
      'type',
      `expected "${FEEDBACK_TYPE}", got an event that Debezium's converter has made of a row`,
    )
  }
  return attributes
}

/** Whether a CloudEvent is Dapr's: `source` and `id` are its own, `data` is what the application published. */
export const isDapr = ({ type }: JsonObject): boolean => type === DAPR_TYPE

const DAPR_TYPE = 'com.dapr.event.sent'
const DEBEZIUM_TYPE = 'io.debezium.'

/** A row of a database table, from a change event of Debezium. */
export interface TableRow {
  /** The row's key: another event of the same row is another vote of the same voter. */
  readonly subject: string
  readonly data: JsonObject
}

/**
 * Reads a change event of Debezium: a row that was created, read or updated is the vote in `after`; a deleted one takes
 * back the vote in `before`. So does a row that ExtractNewRecordState has taken out of its change event, as far as it
 * keeps metadata of it. Null if the value is something else.
 *
 * @param key  of the record: the row's primary key
 * @throws FEEDBACK_INVALID if the event does not identify the vote
 */
export function tableRow(
  value: JsonObject,
  { key, headers }: Pick<LogRecord, 'key' | 'headers'>,
  unwrap: Unwrap,
): TableRow | null {
  const { op, before, after, label } = value
  if (typeof op !== 'string' || label !== undefined || (before === undefined && after === undefined)) {
    return isFlattened(value) || isFlattened(headers) ? flattenedRow(value, key, unwrap) : null
  }
  if (unwrap === 'none') throw invalidFeedback('$', `Debezium's envelope (before, after, op)${TAKE_OFF}`)
  const row = withoutLayers(op === 'd' ? before : after, op === 'd' ? 'before' : 'after', unwrap)
  if (!['c', 'r', 'u', 'd'].includes(op)) throw invalidFeedback('op', 'a change event of Debezium that is about no row')
  if (op === 'd') return { subject: rowKey(key), data: deletion(row, 'before') }
  if (!isJsonObject(row)) throw invalidFeedback('after', WITHOUT_ROW)
  if (row.aggregateid !== undefined) {
    throw invalidFeedback('after', "a row of an outbox table: Debezium's EventRouter writes its payload alone")
  }
  return { subject: rowKey(key), data: row }
}

/** Whether fields or headers hold what ExtractNewRecordState adds (`add.fields`, `add.headers`, `rewrite`). */
function isFlattened(fields: JsonObject | LogRecord['headers']): boolean {
  for (const name in fields) if (name.startsWith('__') && ADDED_FIELD.test(name)) return true
  return false
}

const ADDED_FIELD = /^__(?:op|deleted|db|schema|table|lsn|ts_[mun]s|source_\w+|transaction_\w+)$/
const DELETED: ReadonlySet<unknown> = new Set([true, 'true'])

function flattenedRow(row: JsonObject, key: Uint8Array | null, unwrap: Unwrap): TableRow {
  if (unwrap === 'none') {
    throw invalidFeedback('$', 'a row that Debezium has flattened (__op, __deleted): stream.unwrap=auto reads it')
  }
  const isDeleted = row.__op === 'd' || DELETED.has(row.__deleted)
  return { subject: rowKey(key), data: isDeleted ? deletion(row, 'data') : row }
}

/** Takes back the vote of a deleted row. Without REPLICA IDENTITY FULL all but the key is missing or null. */
function deletion(row: unknown, place: string): JsonObject {
  if (!isJsonObject(row) || row.label === undefined || (row.label === null && !row.user)) {
    const remedy = ': the table needs REPLICA IDENTITY FULL to tell whose vote was deleted'
    throw invalidFeedback(place, `${WITHOUT_ROW}${remedy}`)
  }
  return { label: null, user: row.user }
}

const WITHOUT_ROW = 'a change event of Debezium without the row'

function rowKey(key: Uint8Array | null): string {
  if (key === null)
    throw invalidFeedback('key', 'a change event of Debezium without a key: which row it is about is not known')
  const text = utf8(key, 'key', invalidFeedback)
  let subject = text
  try {
    const json: unknown = JSON.parse(text)
    if (isConnect(json) && isExact(json.payload)) subject = JSON.stringify(json.payload)
  } catch {
    // A key that is no JSON, or nests too deeply, is taken as it is.
  }
  return name(subject, 'key', invalidFeedback)
}

/** Whether all numbers are as they were written: beyond 2^53 - 1 two keys could become one. */
function isExact(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value)
  return typeof value !== 'object' || value === null || Object.values(value).every(isExact)
}

const isConnect = (value: unknown): value is { readonly schema: unknown; readonly payload: unknown } =>
  isJsonObject(value) && 'schema' in value && 'payload' in value && Object.keys(value).length === 2

function parsedText(text: string, place: string): unknown {
  try {
    return parseJsonText(text)
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    throw invalidFeedback(place, `expected an object, got ${describe(text)} that holds no JSON`)
  }
}

const TAKE_OFF = ': stream.unwrap=auto takes it off'
