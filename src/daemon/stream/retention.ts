import { catchError, EMPTY, exhaustMap, filter, from, type Observable, type SchedulerLike, timer } from 'rxjs'
import type { FeedbackLog } from '../../streams/source.js'

/** The lowest offset of a partition that is not acknowledged, from which a restart reads again, and the log's end. */
export interface PendingOffset {
  readonly partition: number
  readonly offset: number
  readonly logEnd: number
}

/** Seconds until something is deleted, and how long the log keeps a record. */
export interface Headroom {
  readonly seconds: number
  readonly retentionSeconds: number
}

/** When the log is asked: milliseconds until the first time, and between two times. */
export interface RetentionTimes {
  readonly firstMs: number
  readonly everyMs: number
  readonly scheduler: SchedulerLike
}

/**
 * Least time over partitions until the log deletes a record that a restart would still need, in seconds; negative if it
 * may be gone already. Emits nothing if the log keeps its records for ever, or does not report its retention.
 *
 * @param pending  of each assigned partition, asked for each time
 */
export const retentionHeadroom$ = (
  log: Pick<FeedbackLog, 'retentionMs' | 'recordAt'>,
  pending: () => readonly PendingOffset[],
  { firstMs, everyMs, scheduler }: RetentionTimes,
): Observable<Headroom> =>
  timer(firstMs, everyMs, scheduler).pipe(
    exhaustMap(() => from(headroom(log, pending(), scheduler.now())).pipe(catchError(() => EMPTY))),
    filter((found) => found !== null),
  )

async function headroom(
  log: Pick<FeedbackLog, 'retentionMs' | 'recordAt'>,
  pending: readonly PendingOffset[],
  now: number,
): Promise<Headroom | null> {
  const retention = await log.retentionMs()
  if (retention === null || pending.length === 0) return null
  const waiting = pending.filter(({ offset, logEnd }) => offset < logEnd)
  const oldest = await Promise.all(waiting.map(({ partition, offset }) => log.recordAt(partition, offset)))
  // a position without a record (a transaction's marker, a compacted one), or without a time, says nothing of time
  const ages = oldest.map((record) => (record === null || record.timestamp < 0 ? 0 : now - record.timestamp))
  return { seconds: (retention - Math.max(0, ...ages)) / 1000, retentionSeconds: retention / 1000 }
}
