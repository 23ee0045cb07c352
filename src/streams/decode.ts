import { filter, map, type OperatorFunction, pipe } from 'rxjs'
import type { BcodError } from '../errors.js'
import { decodeEnvelope, type Envelope, type EnvelopeOptions } from '../events/envelope.js'
import { errorOfRecord } from '../events/fields.js'
import type { DropReason, LogRecord } from '../events/types.js'

/** Receives a record that cannot be used, with the reason and the stage that found it. */
export type Reject = (record: LogRecord, error: BcodError, stage: string) => void

export interface Decoded {
  readonly record: LogRecord
  /** null: a tombstone that is a retraction. */
  readonly envelope: Envelope | null
}

export interface DecodeOptions {
  /** Longest accepted value, in bytes. */
  readonly maxRecordBytes: number
  /** What a record without a value is. @default 'ignore' */
  readonly tombstones?: 'ignore' | 'retract'
  /** Whether the envelopes of Kafka Connect and Debezium are taken off. @default 'auto' */
  readonly unwrap?: EnvelopeOptions['unwrap']
}

/**
 * Decodes records.
 *
 * Emits record and envelope in order. A tombstone (null value) goes to `ignore` unless it retracts, a record that is too
 * large or not a JSON object to `reject`; the stream continues.
 *
 *     records$.pipe(decode({ maxRecordBytes: 2 ** 20 }, deadLetter, count)).subscribe(({ envelope }) => …)
 */
export function decode(
  { maxRecordBytes, tombstones = 'ignore', unwrap = 'auto' }: DecodeOptions,
  reject: Reject,
  ignore: (record: LogRecord, reason: DropReason) => void,
): OperatorFunction<LogRecord, Decoded> {
  return pipe(
    map((record) => {
      const { key, value, headers } = record
      if (value === null) {
        if (tombstones === 'retract' && key !== null && key.byteLength > 0) return { record, envelope: null }
        ignore(record, 'tombstone')
        return null
      }
      return unlessRefused(
        () => ({ record, envelope: decodeEnvelope(value, headers, maxRecordBytes, { key, unwrap }) }),
        (error) => reject(record, error, 'decode'),
      )
    }),
    filter((decoded) => decoded !== null),
  )
}

/** The result of `run`; null if it threw, and `onError` got the error with a code: no record may end the stream. */
export function unlessRefused<T>(run: () => T, onError: (error: BcodError) => void): T | null {
  try {
    return run()
  } catch (error) {
    onError(errorOfRecord(error))
    return null
  }
}
