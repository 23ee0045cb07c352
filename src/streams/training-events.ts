import { type Observable, tap } from 'rxjs'
import type { Config } from '../config/config.js'
import type { Feedback, TrainingEvent } from '../events/types.js'
import { admit } from './admit.js'
import type { ArmTally, Counted } from './arm-tally.js'
import type { Reject } from './decode.js'
import { dedup } from './dedup.js'
import type { Drop } from './drop.js'
import { holdBack } from './hold-back.js'
import { holdOut, withoutHeldOut } from './hold-out.js'
import { allowSources } from './sources.js'
import { type TokeniseOptions, tokenise } from './tokenise.js'
import type { VoteState } from './vote-state.js'

export interface TrainingEventsOptions extends TokeniseOptions {
  readonly config: Pick<Config, 'limits' | 'eval' | 'seed'>
  readonly state: Pick<VoteState, 'dedup' | 'held' | 'admission' | 'texts' | 'heldOut'> & {
    /** Counts votes by arm; a replay has none. */
    readonly arms?: ArmTally
  }
  /** The time up to which votes have been read, milliseconds since the epoch. */
  readonly watermark: () => number
  /** When to look whether held votes are due. */
  readonly tick$: Observable<unknown>
  /** The last applied step. @default always 0 */
  readonly step?: () => number
  readonly reject: Reject
  readonly drop: Drop
  /** The event is kept for evaluation and never trains. */
  readonly heldOut: (event: TrainingEvent) => void
  /** What became of an admitted vote when votes are counted by arm. */
  readonly countedByArm?: ((vote: Feedback, counted: Counted) => void) | undefined
  /** A prompt was cut to length. */
  readonly shortened?: (() => void) | undefined
}

/**
 * From votes to training events, the same way for a daemon and for a replay: allowed sources, once each, held back, held
 * out, capped, counted by arm (`state.arms`), tokenised. What is held out is kept in `state.heldOut`. Everything runs in the call that hands a vote in, so that the states of the stages agree;
 * votes with text wait in `state.texts` while they are tokenised.
 */
export function trainingEvents(vote$: Observable<Feedback>, options: TrainingEventsOptions): Observable<TrainingEvent> {
  const { config, state, watermark, tick$, step, reject, drop, heldOut, countedByArm, shortened } = options
  const admitted$ = vote$.pipe(
    allowSources(config.limits.sources, drop),
    dedup(state.dedup, drop),
    tap((vote) => {
      state.heldOut.takeBack(vote, () => state.texts.snapshot().votes)
      state.arms?.correct(vote)
    }),
    holdBack(state.held, watermark, tick$),
    holdOut(config.eval.holdOut, config.seed),
    admit(state.admission, drop, step),
    tap((vote) => {
      const counted = state.arms?.push(vote)
      if (counted) countedByArm?.(vote, counted)
    }),
  )
  return admitted$.pipe(
    tokenise(state.texts, options, reject, drop),
    withoutHeldOut((event) => {
      state.heldOut.push(event)
      heldOut(event)
    }),
    tap((event) => event.shortened && shortened?.()),
  )
}
