import { map, type Observable, tap } from 'rxjs'
import type { Config } from '../config/config.js'
import type { DropReason, Feedback, LogRecord, Position, TimeCorrection } from '../events/types.js'
import { decode, type Reject } from './decode.js'
import { eventTime } from './event-time.js'
import { onlyShard, rejectOwn, Shard } from './shard.js'
import { type ValidationLimits, validate } from './validate.js'
import type { Watermark } from './watermark.js'

export interface VotesOptions extends ValidationLimits {
  readonly config: Pick<Config, 'limits' | 'stream'>
  readonly watermark: Watermark
  /** The current time, milliseconds since the epoch. */
  readonly now: () => number
  readonly received: (vote: Feedback) => void
  /** Called when a timestamp was corrected by more than a minute. */
  readonly timeCorrected?: ((reason: TimeCorrection) => void) | undefined
  /** Called for each record with a schema registry's frame. */
  readonly framed: () => void
  readonly reject: Reject
  readonly drop: (position: Position, reason: DropReason) => void
}

/** Turns records into the valid votes of this shard, with corrected timestamps. */
export function votes(record$: Observable<LogRecord>, options: VotesOptions): Observable<Feedback> {
  const { config, watermark, now, received, timeCorrected, framed, reject, drop } = options
  const { tombstones, unwrap } = config.stream
  const { maxRecordBytes } = config.limits
  const shard = new Shard(config.stream)
  return record$.pipe(
    eventTime(watermark, now, timeCorrected),
    decode({ maxRecordBytes, tombstones, unwrap }, rejectOwn(shard, reject, drop), drop),
    onlyShard(shard, (record) => drop(record, 'other_shard')),
    tap(({ envelope }) => envelope?.framed && framed()),
    validate(options, reject),
    map(({ feedback }) => feedback),
    tap(received),
  )
}
