import type { Feedback, LogRecord, TrainingEvent } from '../events/types.js'

/** A vote without strings and contents: its objects and entries in map, heap and open offsets. Measured on V8. */
const VOTE_BYTES = 432
/** The same of a training event. */
const TRAINING_EVENT_BYTES = 376
/** The same of a held-out vote, with its entries in set and map. */
const HELD_OUT_BYTES = 304
/** A record without key, value and headers, which is 7 bytes in the log. */
export const RECORD_BYTES = 400
/** An open offset whose record is not in memory. */
export const OPEN_OFFSET_BYTES = 64
/** An array of bytes beside its bytes: V8's object and its backing store. */
const BUFFER_BYTES = 184
const OBJECT_BYTES = 24
/** A property has a slot in its object; objects of many or odd properties are hash tables with names of their own. */
const PROPERTY_BYTES = 8
const TABLE_ENTRY_BYTES = 24
const MAX_FAST_PROPERTIES = 8
const ARRAY_BYTES = 32
/** A slot of an array, and with it a small number. */
const SLOT_BYTES = 8
const STRING_BYTES = 16
/** Strings up to this length are not checked for wide characters. */
const SHORT = 16

/** V8 keeps a string in one byte a character until one of them is beyond Latin-1. */
const WIDE = /[\u0100-\uffff]/

/**
 * Estimated memory of a held vote, in bytes, names included: 0.6 to 1.5 of what V8 allocates, whatever the vote holds.
 * Its key refers to source, subject and user until it is first compared, and copies them from then on: half of the copy
 * is counted.
 */
export function feedbackBytes(event: Feedback): number {
  const { source, subject, user } = event
  const key = stringBytes(source) + stringBytes(subject ?? '') + stringBytes(user ?? '')
  return VOTE_BYTES + key / 2 + fieldBytes(event)
}

/** Estimated memory of a waiting training event, in bytes. */
export const trainingEventBytes = (event: TrainingEvent): number => TRAINING_EVENT_BYTES + fieldBytes(event)

/** Estimated memory of a held-out vote, in bytes. */
export const heldOutBytes = (vote: object): number => HELD_OUT_BYTES + fieldBytes(vote)

/** Estimated memory of a record with its own copy of the fetched bytes. */
export function recordBytes({
  key,
  value,
  headers,
  rawHeaders,
}: LogRecord & { readonly rawHeaders?: unknown }): number {
  return RECORD_BYTES + valueBytes(key) + valueBytes(value) + valueBytes(headers) + valueBytes(rawHeaders)
}

function stringBytes(text: string): number {
  if (text.length === 0) return 0
  const isWide = text.length > SHORT && WIDE.test(text)
  return STRING_BYTES + (isWide ? 2 : 1) * text.length
}

/** Memory of all fields of an event except its position. */
function fieldBytes(event: object): number {
  let bytes = 0
  for (const name in event) if (name !== 'position') bytes += valueBytes(event[name as keyof typeof event])
  return bytes
}

/** Memory of plain data. */
function valueBytes(value: unknown): number {
  if (typeof value === 'string') return stringBytes(value)
  if (typeof value !== 'object' || value === null) return 0
  if (Array.isArray(value)) return arrayBytes(value)
  if (ArrayBuffer.isView(value)) return BUFFER_BYTES + value.byteLength
  let bytes = OBJECT_BYTES
  let fields = 0
  let names = 0
  for (const name in value) {
    fields += 1
    names += stringBytes(name)
    bytes += PROPERTY_BYTES + valueBytes(value[name as keyof typeof value])
  }
  return fields > MAX_FAST_PROPERTIES ? bytes + TABLE_ENTRY_BYTES * fields + names : bytes
}

function arrayBytes(values: readonly unknown[]): number {
  let bytes = ARRAY_BYTES + SLOT_BYTES * values.length
  for (let i = 0; i < values.length; i++) if (typeof values[i] !== 'number') bytes += valueBytes(values[i])
  return bytes
}
