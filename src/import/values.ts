import { isJsonObject, type JsonObject } from '../events/json.js'
import { Skipped } from './vote.js'

/** Reading fields of foreign records, of which nothing is promised. */

const NOTHING: JsonObject = {}

/** The object; an empty one for anything else. */
export const object = (value: unknown): JsonObject => (isJsonObject(value) ? value : NOTHING)

/** The objects of an array; none for anything else. */
export const objects = (value: unknown): readonly JsonObject[] => list(value).filter(isJsonObject)

/** The array; an empty one for anything else. */
export const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])

/** A text that is not empty; null for anything else. */
export const text = (value: unknown): string | null => (typeof value === 'string' && value !== '' ? value : null)

/** An id as text: databases have numbers, MongoDB's exports `{"$oid": …}`; null for anything else. */
export function idOf(value: unknown): string | null {
  if (Number.isSafeInteger(value)) return String(value)
  return text(isJsonObject(value) ? value.$oid : value)
}

/** The same for an id without which there is no vote. @throws Skipped */
export function requiredId(value: unknown, field: string): string {
  const id = idOf(value)
  if (id === null) throw new Skipped('unreadable', `${field} is missing`)
  return id
}

/** Above it, a number of seconds would be in the year 5138: it is milliseconds. */
const MOST_SECONDS = 1e11

/**
 * Milliseconds since the epoch; null if it is no time. Numbers are seconds or milliseconds, texts are ISO 8601 or what
 * JavaScript prints, and UTC unless they say otherwise, `{"$date": …}` is MongoDB's.
 */
export function timeOf(value: unknown): number | null {
  if (isJsonObject(value)) return timeOf(value.$date ?? Number(value.$numberLong))
  if (typeof value === 'number') return Number.isFinite(value) ? (value < MOST_SECONDS ? value * 1000 : value) : null
  if (typeof value !== 'string') return null
  const zoned = /(?:z|[+-]\d\d:?\d\d)(?: \(.*\))?$/i.test(value) || !value.includes(':') ? value : `${value}Z`
  const time = Date.parse(zoned)
  return Number.isNaN(time) ? null : time
}

/** What the text holds if it is JSON, else the value itself. */
export function unquoted(value: unknown): unknown {
  if (typeof value !== 'string' || !/^\s*[[{"]/.test(value)) return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

/** Records by the time in one of their fields; those without one come first. */
export const inOrder = (records: readonly JsonObject[], field: string): readonly JsonObject[] =>
  [...records].sort((a, b) => (timeOf(a[field]) ?? 0) - (timeOf(b[field]) ?? 0))
