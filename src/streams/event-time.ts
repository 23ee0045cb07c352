import { type MonoTypeOperatorFunction, map } from 'rxjs'
import type { LogRecord, TimeCorrection } from '../events/types.js'
import type { Watermark } from './watermark.js'

/** Corrections larger than this are counted, milliseconds. */
const BOUND = 60_000

/**
 * Corrects the timestamp of each record (`Watermark.timeOf`). A producer's timestamp that is ahead, behind or missing
 * must not end the hold-back of others, nor skip or lengthen its own.
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
