import { asyncScheduler, concatMap, type Observable, of, type SchedulerLike } from 'rxjs'
import type { Config } from '../../config/config.js'
import type { DropReason, Feedback, LogRecord, Position, TrainingEvent } from '../../events/types.js'
import type { Counted } from '../../streams/arm-tally.js'
import { batch } from '../../streams/batch.js'
import { trainingEvents } from '../../streams/training-events.js'
import { type VotesOptions, votes } from '../../streams/votes.js'
import type { TextService } from '../../text/text-process.js'
import type { StreamState } from './stream-state.js'

export interface PipelineOptions
  extends Pick<VotesOptions, 'now' | 'received' | 'timeCorrected' | 'framed' | 'reject'> {
  readonly config: Pick<Config, 'limits' | 'eval' | 'seed' | 'stream'>
  readonly state: StreamState
  readonly text: TextService | null
  readonly vocabSize: number
  /** Longest event of the learner, in tokens. */
  readonly maxLength: number
  /** The learner asks for its next batch. */
  readonly demand$: Observable<unknown>
  /** What waits goes out without waiting for a full batch. */
  readonly flush$: Observable<unknown>
  /** Between true and false no batch goes out. */
  readonly paused$: Observable<boolean>
  /** After each fetch, and now and then when nothing comes in: held votes may be due. */
  readonly tick$: Observable<unknown>
  /** A prompt was cut to length. */
  readonly shortened?: () => void
  /** The last applied step. */
  readonly step: () => number
  readonly drop: (position: Position, reason: DropReason) => void
  readonly heldOut: (event: TrainingEvent) => void
  /** What became of an admitted vote when votes are counted by arm. */
  readonly countedByArm?: (vote: Feedback, counted: Counted) => void
  /** Votes that waited to be tokenised have gone on. */
  readonly tokenised?: () => void
  readonly scheduler?: SchedulerLike
}

/**
 * From records to batches (docs/ARCHITECTURE.md). Everything up to the batch runs in the call that hands a record in, so
 * that the states of the stages never disagree.
 */
export function pipeline(record$: Observable<LogRecord>, options: PipelineOptions): Observable<TrainingEvent[]> {
  const { state, text, tick$, tokenised, demand$, paused$, scheduler = asyncScheduler } = options
  // votes that are being tokenised are part of what waits
  const flush$ = options.flush$.pipe(concatMap(() => (state.texts.count === 0 ? of(null) : state.texts.emptied())))
  const vote$ = votes(record$, { ...options, watermark: state.watermark, text: text?.description ?? null })
  return trainingEvents(vote$, {
    ...options,
    watermark: () => state.watermark.at(options.now()),
    tick$,
    drop: (vote, reason) => options.drop(vote.position, reason),
    ...(tokenised && { moved: tokenised }),
  }).pipe(batch(state.batcher, { scheduler, demand$, flush$, paused$ }))
}
