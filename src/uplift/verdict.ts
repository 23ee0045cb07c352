import type { ClusteredRate } from './clustered-rate.js'
import { type Difference, differenceOf } from './difference.js'

export interface VerdictOptions {
  /** How much worse than live a canary may be: difference of thumbs-up rates. */
  readonly margin: number
  readonly alpha: number
  /** Votes that each arm needs before a canary is promoted. */
  readonly minVotes: number
}

/** `open`: neither is shown yet. */
export type Verdict = 'worse' | 'not worse' | 'open'

/**
 * Whether the canary is worse than live, or not worse by more than the margin.
 *
 * It is worse as soon as the whole interval is below 0, also if it may be within the margin: a hundred versions that are
 * each known to be a little worse must not follow each other.
 */
export function verdictOf(
  canary: ClusteredRate,
  live: ClusteredRate,
  { margin, alpha, minVotes }: VerdictOptions,
): { readonly verdict: Verdict; readonly difference: Difference | null } {
  const difference = differenceOf(canary, live, { alpha, scale: margin })
  if (difference === null) return { verdict: 'open', difference }
  if (difference.high < 0) return { verdict: 'worse', difference }
  const isEnough = Math.min(canary.votes, live.votes) >= minVotes
  return { verdict: isEnough && difference.low >= -margin ? 'not worse' : 'open', difference }
}
