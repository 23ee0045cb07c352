import { catchError, EMPTY, exhaustMap, filter, from, type Observable, timer } from 'rxjs'
import type { FeedbackLog } from '../streams/source.js'

/** First look, and time between looks. */
const FIRST_MS = 5_000
const EVERY_MS = 30_000

/** Where the oldest record of a partition stands that a restart would read again, and where the log ends. */
export interface Unfinished {
  readonly partition: number
  readonly offset: number
  readonly logEnd: number
}

/** Seconds until something is deleted, and how long the log keeps a record. */
export interface Headroom {
  readonly seconds: number
  readonly retentionSeconds: number
}

/**
 * Least time over partitions until the log deletes a record that a restart would still need, in seconds; negative where
 * it may be gone already. Says nothing where the log keeps its records for ever or does not tell.
 *
 * @param unfinished  of each assigned partition, asked at each look
 */
export const retentionHeadroom$ = (log: FeedbackLog, unfinished: () => readonly Unfinished[]): Observable<Headroom> =>
  timer(FIRST_MS, EVERY_MS).pipe(
    exhaustMap(() => from(headroom(log, unfinished())).pipe(catchError(() => EMPTY))),
    filter((found) => found !== null),
  )

async function headroom(log: FeedbackLog, unfinished: readonly Unfinished[]): Promise<Headroom | null> {
  const retention = await log.retentionMs()
  if (retention === null || unfinished.length === 0) return null
  const now = Date.now()
  const waiting = unfinished.filter(({ offset, logEnd }) => offset < logEnd)
  const oldest = await Promise.all(waiting.map(({ partition, offset }) => log.recordAt(partition, offset)))
  // a position without a record (a transaction's marker, a compacted one), or without a time, says nothing of time
  const ages = oldest.map((record) => (record === null || record.timestamp < 0 ? 0 : now - record.timestamp))
  return { seconds: (retention - Math.max(0, ...ages)) / 1000, retentionSeconds: retention / 1000 }
}
