import { ClusteredRate } from '../../uplift/clustered-rate.js'
import { differenceOf } from '../../uplift/difference.js'
import type { GuardedVote } from './guard-measures.js'

/** How many times as many votes the recent ones are compared with. */
const BEFORE = 4
/** Of the interval of the difference. */
const ALPHA = 0.01

/**
 * The thumbs-up rate of the last votes against that of the votes before them, with users as clusters: a user who votes a
 * thousand times widens the interval instead of moving the rate.
 */
export class FallingUpRate {
  readonly #votes: GuardedVote[] = []

  /** @param window  how many votes are the recent ones */
  constructor(
    private readonly drop: number,
    private readonly window: number,
  ) {}

  /**
   * @returns the difference of the rates if it is a fall by more than the drop and the whole interval is below 0; else
   *   null
   */
  add(votes: readonly GuardedVote[]): number | null {
    this.#votes.push(...votes)
    this.#votes.splice(0, this.#votes.length - (1 + BEFORE) * this.window)
    if (this.#votes.length < 2 * this.window) return null
    const [before, recent] = [this.#votes.slice(0, -this.window), this.#votes.slice(-this.window)].map(rateOf)
    const found = differenceOf(recent as ClusteredRate, before as ClusteredRate, { alpha: ALPHA, scale: this.drop })
    return found !== null && found.value < -this.drop && found.high < 0 ? found.value : null
  }
}

function rateOf(votes: readonly GuardedVote[]): ClusteredRate {
  const byVoter = new Map<string, { votes: number; ups: number }>()
  for (const { voter, label } of votes) {
    const said = byVoter.get(voter) ?? { votes: 0, ups: 0 }
    byVoter.set(voter, { votes: said.votes + 1, ups: said.ups + Number(label) })
  }
  const rate = new ClusteredRate()
  for (const said of byVoter.values()) rate.change({ votes: 0, ups: 0 }, said)
  return rate
}
