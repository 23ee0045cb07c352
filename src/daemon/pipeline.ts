import { asyncScheduler, concatMap, map, type Observable, of, type SchedulerLike, tap } from 'rxjs'
import type { Config } from '../config/config.js'
import type { BcodError } from '../errors.js'
import type { DropReason, Feedback, LogRecord, Position, TimeCorrection, TrainingEvent } from '../events/types.js'
import { admit } from '../streams/admit.js'
import { batch } from '../streams/batch.js'
import { decode, type Reject } from '../streams/decode.js'
import { dedup } from '../streams/dedup.js'
import { eventTime } from '../streams/event-time.js'
import { holdBack } from '../streams/hold-back.js'
import { holdOut } from '../streams/hold-out.js'
import { onlyShard, Shard } from '../streams/shard.js'
import { allowSources } from '../streams/sources.js'
import { tokenise } from '../streams/tokenise.js'
import { validate } from '../streams/validate.js'
import type { TextService } from '../text/text-process.js'
import type { StreamState } from './stream-state.js'

export interface PipelineOptions {
  readonly config: Pick<Config, 'limits' | 'eval' | 'seed' | 'stream'>
  readonly state: StreamState
  readonly text: TextService | null
  readonly vocabSize: number
  /** Longest event of the learner, in tokens. */
  readonly maxLength: number
  /** The learner asks for its next batch. */
  readonly free$: Observable<unknown>
  /** What waits goes out without waiting for a full batch. */
  readonly flush$: Observable<unknown>
  /** Between true and false no batch goes out. */
  readonly paused$: Observable<boolean>
  /** After each fetch, and now and then when nothing comes in: held votes may be due. */
  readonly tick$: Observable<unknown>
  /** What time it is for held votes, milliseconds since the epoch. */
  readonly now: () => number
  readonly received: (event: Feedback) => void
  /** A record counts as written at another time than its producer says, by more than a minute. */
  readonly timeCorrected?: (reason: TimeCorrection) => void
  /** A record with a schema registry's frame was decoded. */
  readonly framed: () => void
  /** A prompt was cut to length. */
  readonly shortened?: () => void
  /** The last applied step. */
  readonly step: () => number
  readonly reject: (record: LogRecord, error: BcodError, stage: string) => void
  readonly drop: (position: Position, reason: DropReason) => void
  readonly heldOut: (event: Feedback) => void
  /** Votes that waited to be tokenised have gone on. */
  readonly tokenised?: () => void
  readonly scheduler?: SchedulerLike
}

/**
 * From records to batches: the way of one event through the house (docs/ARCHITECTURE.md). Everything up to the
 * batch runs in the call that hands a record in, so that the states of the stages never disagree; votes with text stop
 * over in `state.texts` while they are tokenised, and go on from there in one call too.
 */
export function pipeline(record$: Observable<LogRecord>, options: PipelineOptions): Observable<TrainingEvent[]> {
  const { config, state, text, vocabSize, maxLength, reject, scheduler = asyncScheduler } = options
  const drop = (event: Feedback, reason: DropReason) => options.drop(event.position, reason)
  const { tombstones, unwrap } = config.stream
  const { maxRecordBytes, sources } = config.limits
  const { tokenised } = options
  // what is being tokenised belongs to what waits
  const flush$ = options.flush$.pipe(concatMap(() => (state.texts.count === 0 ? of(null) : state.texts.emptied())))
  const shard = new Shard(config.stream)
  const rejectUndecoded: Reject = (record, error, stage) =>
    shard.ownsUndecoded(record) ? reject(record, error, stage) : options.drop(record, 'other_shard')
  const vote$ = record$.pipe(
    eventTime(state.watermark, options.now, options.timeCorrected),
    decode({ maxRecordBytes, tombstones, unwrap }, rejectUndecoded, (record, reason) => options.drop(record, reason)),
    onlyShard(shard, (record) => options.drop(record, 'other_shard')),
    tap(({ envelope }) => envelope?.framed && options.framed()),
    validate({ vocabSize, text: text?.description ?? null }, reject),
    map(({ feedback }) => feedback),
    tap(options.received),
    allowSources(sources, drop),
    dedup(state.dedup, drop),
  )
  return vote$.pipe(
    holdBack(state.held, () => state.watermark.at(options.now()), options.tick$),
    holdOut(config.eval.holdOut, config.seed, options.heldOut),
    admit(state.admission, drop, options.step),
    tokenise(state.texts, { text, maxLength, vocabSize, ...(tokenised && { moved: tokenised }) }, reject, drop),
    tap(({ shortened }) => shortened && options.shortened?.()),
    batch(state.batcher, { scheduler, free$: options.free$, flush$, paused$: options.paused$ }),
  )
}
