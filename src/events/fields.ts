/// <reference lib="es2024.string" />
import { BcodError } from '../errors.js'

/** Makes the error for what stands at a JSON path. */
export type Fail = (place: string, message: string) => BcodError

export const invalidFeedback: Fail = (place, message) => new BcodError('FEEDBACK_INVALID', message, { place })

/** Longest id, source, subject, user or adapter, in Unicode code points: the dedup window and the vote ledger keep them. */
export const MAX_NAME_LENGTH = 1024

/** RFC 3339 date-time. February always has 29 days; a leap second is allowed in any minute. */
export const RFC3339 =
  '^\\d{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12]\\d|3[01])|(?:0[469]|11)-(?:0[1-9]|[12]\\d|30)|02-(?:0[1-9]|[12]\\d))' +
  '[Tt](?:[01]\\d|2[0-3]):[0-5]\\d:(?:[0-5]\\d|60)(?:\\.\\d+)?(?:[Zz]|[+-](?:[01]\\d|2[0-3]):[0-5]\\d)$'

/** What a value is, without saying what is in it: for fields that may hold users' text. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`
  if (typeof value === 'string') {
    return value === '' ? 'an empty string' : `a string of ${value.length} character${value.length === 1 ? '' : 's'}`
  }
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** What a value is, a short scalar word for word: only for fields that never hold users' text. */
export function quote(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  return typeof value === 'string' && value.length <= 24 ? JSON.stringify(value) : describe(value)
}

/** A fixed word, such as the event type. */
export function constant(value: unknown, expected: string, place: string, fail: Fail): void {
  if (value !== expected) throw fail(place, `expected "${expected}", got ${quote(value)}`)
}

/** An identifier: a non-empty string of well-formed Unicode, at most MAX_NAME_LENGTH long. */
export function name(value: unknown, place: string, fail: Fail): string {
  if (typeof value !== 'string' || value === '') {
    throw fail(place, `expected a non-empty string, got ${describe(value)}`)
  }
  if (value.length > MAX_NAME_LENGTH && [...value].length > MAX_NAME_LENGTH) {
    throw fail(place, `expected at most ${MAX_NAME_LENGTH} characters, got ${describe(value)}`)
  }
  if (!value.isWellFormed()) throw fail(place, 'expected Unicode text, got a lone surrogate')
  return value
}

/** Null or missing, or an identifier. */
export const optionalName = (value: unknown, place: string, fail: Fail): string | null =>
  value === undefined || value === null ? null : name(value, place, fail)

/** Null or missing, or a finite number within the bounds. */
export function optionalNumber(value: unknown, min: number, max: number, place: string, fail: Fail): number | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw fail(place, `expected a number, got ${quote(value)}`)
  }
  if (value < min || value > max) throw fail(place, `expected a number from ${min} to ${max}, got ${value}`)
  return value
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

/** Bytes of a header or a key as text. */
export function utf8(bytes: Uint8Array, place: string, fail: Fail): string {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    throw fail(place, 'expected UTF-8')
  }
}

const rfc3339 = new RegExp(RFC3339)

/** Null or missing, or an RFC 3339 time. */
export function optionalTime(value: unknown, place: string, fail: Fail): void {
  if (value === undefined || value === null) return
  if (typeof value !== 'string' || !rfc3339.test(value)) {
    throw fail(place, `expected an RFC 3339 time, got ${describe(value)}`)
  }
}
