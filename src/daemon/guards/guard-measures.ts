import type { TrainingEvent } from '../../events/types.js'
import type { AppliedStep } from '../../learner/step.js'

/** A vote as the guards see it. */
export interface GuardedVote {
  /** Who gave it; votes without a user stand for themselves. */
  readonly voter: string
  /** true = thumbs-up. */
  readonly label: boolean
}

/** What the guards look at after a step. */
export interface GuardMeasures {
  readonly step: number
  /** Σ |log π − log π_ref| of the completions ÷ their tokens, in nats; null without a token. */
  readonly distance: number | null
  readonly delta: number
  readonly rewardUpMean: number | null
  readonly rewardDownMean: number | null
  readonly votes: readonly GuardedVote[]
}

/** @param trained  the events of the step, in the order of its figures */
export function guardMeasures(
  { step, delta, rewardUpMean, rewardDownMean, logRatios }: AppliedStep,
  trained: readonly TrainingEvent[],
): GuardMeasures {
  const tokens = trained.reduce((sum, { completionTokens }) => sum + completionTokens.length, 0)
  const moved = logRatios.reduce((sum, logRatio) => sum + Math.abs(logRatio), 0)
  return {
    ...{ step, delta, rewardUpMean, rewardDownMean, distance: tokens === 0 ? null : moved / tokens },
    votes: trained.map(({ source, id, user, label }) => ({ voter: user ?? `${source} ${id}`, label })),
  }
}
