/// <reference lib="es2024.string" />
import { BcodError } from '../errors.js'

/** Creates the error for a JSON path. */
export type Fail = (place: string, message: string) => BcodError

export const invalidFeedback: Fail = (place, message) => new BcodError('FEEDBACK_INVALID', message, { place })

/**
 * The error of a record that reading has thrown on. One without a code is a fault of bcod; still the record must not end
 * the daemon, which would read it again at each start. Only the error's class is named: its text may quote the record.
 */
export function errorOfRecord(error: unknown): BcodError {
  if (error instanceof BcodError) return error
  return new BcodError('FEEDBACK_UNREADABLE', error instanceof Error ? error.constructor.name : typeof error)
}

/** Longest id, source, subject, user or adapter, in Unicode code points: the dedup window and the vote ledger keep them. */
export const MAX_NAME_LENGTH = 1024

/** What a value is, without saying what is in it: nothing of a record gets into a message. */
export function describe(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return value.length === 0 ? 'an empty array' : `an array of ${value.length}`
  if (typeof value === 'string') {
    return value === '' ? 'an empty string' : `a string of ${value.length} character${value.length === 1 ? '' : 's'}`
  }
  if (typeof value === 'number' && !Number.isFinite(value)) return 'a number that is not finite'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** A fixed word, such as the event type. */
export function constant(value: unknown, expected: string, place: string, fail: Fail): void {
  if (value !== expected)
    throw fail(place, `expected "${expected}", got ${typeof value === 'string' ? 'another text' : describe(value)}`)
}

/** An identifier: a non-empty string of well-formed Unicode, at most MAX_NAME_LENGTH long. */
export function name(value: unknown, place: string, fail: Fail): string {
  if (typeof value !== 'string' || value === '') {
    throw fail(place, `expected a non-empty string, got ${describe(value)}`)
  }
  if (value.length > MAX_NAME_LENGTH && (value.length > 2 * MAX_NAME_LENGTH || [...value].length > MAX_NAME_LENGTH)) {
    throw fail(place, `expected at most ${MAX_NAME_LENGTH} characters, got ${describe(value)}`)
  }
  if (!value.isWellFormed()) throw fail(place, 'expected Unicode text, got a lone surrogate')
  return value
}

/** Null or missing, or an identifier. */
export const optionalName = (value: unknown, place: string, fail: Fail): string | null =>
  value === undefined || value === null ? null : name(value, place, fail)

/** An identifier that may be a number, as in a database: an integer becomes its decimal digits. */
export const id = (value: unknown, place: string, fail: Fail): string =>
  typeof value === 'number' ? digits(value, place, fail) : name(value, place, fail)

/** Null or missing, or an identifier that may be a number. */
export const optionalId = (value: unknown, place: string, fail: Fail): string | null =>
  value === undefined || value === null ? null : id(value, place, fail)

/** What `id` would give, unchecked; null if there is none. */
export function idText(value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : null
}

/** JSON's numbers are exact up to 2^53 - 1: beyond it two ids could become one. */
function digits(value: number, place: string, fail: Fail): string {
  if (!Number.isInteger(value)) throw fail(place, 'expected a string or an integer, got a number that is neither')
  if (!Number.isSafeInteger(value))
    throw fail(place, 'an integer beyond 2^53 - 1 loses digits in JSON: send it as a string')
  return String(value)
}

/** Null or missing, or a finite number within the bounds. */
export function optionalNumber(value: unknown, min: number, max: number, place: string, fail: Fail): number | null {
  if (value === undefined || value === null) return null
  if (typeof value !== 'number' || !Number.isFinite(value)) {
    throw fail(place, `expected a number, got ${describe(value)}`)
  }
  if (value < min || value > max) throw fail(place, `expected a number from ${min} to ${max}, got another`)
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
