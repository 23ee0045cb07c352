import { type MonoTypeOperatorFunction, map } from 'rxjs'
import type { LogRecord, TimeCorrection } from '../events/types.js'
import type { Watermark } from './watermark.js'

/** A clock that is off by more than this is told of, milliseconds. */
const BOUND = 60_000

/**
 * Gives each record the time that it counts as written at (`Watermark.timeOf`). Producers set times as they like: one
 * that is ahead, back or missing must neither end the hold-back of others nor skip or lengthen its own.
 *
 *     record$.pipe(eventTime(watermark, Date.now, (reason) => corrected.inc({ reason })))
 */
export function eventTime(
  watermark: Watermark,
  now: () => number,
  corrected: (reason: TimeCorrection) => void = () => undefined,
): MonoTypeOperatorFunction<LogRecord> {
  return map((record) => {
    const { partition, offset, timestamp } = record
    const time = watermark.timeOf(partition, offset, timestamp, now())
    if (time === timestamp) return record
    if (!(timestamp >= 0)) corrected('absent')
    else if (Math.abs(time - timestamp) > BOUND) corrected(time < timestamp ? 'ahead' : 'back')
    return { ...record, timestamp: time }
  })
}
