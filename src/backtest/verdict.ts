import type { Baseline } from './judged-vote.js'
import type { Estimate } from './separation.js'

/** A gain in AUC below it is of no use. */
export const LEAST_GAIN = 0.05
/** So many clusters need a vote of each label before anything is worth it. */
export const LEAST_CLUSTERS = 20

export type Verdict = 'worth it' | 'not yet' | 'no'

export interface VerdictParts {
  readonly votes: number
  /** Share of thumbs-up among them. */
  readonly upShare: number
  /** Clusters with a thumbs-up, and with a thumbs-down. */
  readonly clusters: readonly [number, number]
  /** AUC of the model less that of each baseline; null without votes of both labels. */
  readonly gains: Readonly<Record<Baseline, Estimate | null>>
}

export interface Judgement {
  readonly verdict: Verdict
  /** The baseline that the model gains least on; null without figures. */
  readonly against: Baseline | null
  /** With `not yet`: how many more votes, if they are like these, would decide it. */
  readonly missing: number | null
}

/**
 * `worth it` if the model sorts votes better than every baseline, with certainty; `no` if it is certain that the gain is
 * below `LEAST_GAIN`; else, or with fewer than `LEAST_CLUSTERS` of either label, `not yet`. An interval narrows with the root of the votes, so that with half width h on n votes
 * and gain g, h is below g, or below what g lacks of `LEAST_GAIN`, with n (h / max(g, LEAST_GAIN − g))² votes.
 */
export function judge({ votes, upShare, clusters, gains }: VerdictParts): Judgement {
  const known = Object.entries(gains).flatMap(([baseline, gain]) =>
    gain === null || gain.low === null || gain.high === null
      ? []
      : [{ baseline: baseline as Baseline, value: gain.value, low: gain.low, high: gain.high }],
  )
  const least = known.sort((a, b) => a.value - b.value)[0]
  const fewest = Math.min(...clusters)
  if (least === undefined) return { verdict: 'not yet', against: null, missing: Math.max(1, planned(upShare) - votes) }
  const against = least.baseline
  const isCertain = known.every(({ low }) => low > 0)
  const hardest = known.reduce((a, b) => (b.low < a.low ? b : a))
  const half = (hardest.high - hardest.low) / 2
  const byWidth = isCertain ? 0 : votes * (half / Math.max(hardest.value, LEAST_GAIN - hardest.value)) ** 2
  if (fewest >= LEAST_CLUSTERS && isCertain) return { verdict: 'worth it', against, missing: null }
  if (fewest >= LEAST_CLUSTERS && least.high < LEAST_GAIN) return { verdict: 'no', against, missing: null }
  const needed = Math.ceil(Math.max(byWidth, fewest < LEAST_CLUSTERS ? (votes * LEAST_CLUSTERS) / fewest : 0))
  return { verdict: 'not yet', against, missing: Math.max(1, needed - votes) }
}

const NORMAL_95 = 1.959964

/**
 * Votes with which the interval of an AUC of ½ has a half width of `LEAST_GAIN`: Mann and Whitney's variance,
 * 1/(12 n u (1 − u)) for large n, u being the share of thumbs-up.
 */
export function planned(upShare: number): number {
  const u = Math.min(0.9, Math.max(0.1, upShare))
  return Math.ceil((NORMAL_95 / LEAST_GAIN) ** 2 / (12 * u * (1 - u)))
}
