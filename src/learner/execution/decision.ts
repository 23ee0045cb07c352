import type { Execution } from './candidates.js'
import { median } from './median.js'

/** One run of a candidate and one of the rule's choice, one after the other, in milliseconds. */
export interface Round {
  readonly ms: number
  readonly ruleMs: number
}

/** How one candidate did. That of the rule itself has no rounds. */
export interface Trial {
  readonly execution: Execution
  /** null if it could not be run. */
  readonly rounds: readonly Round[] | null
}

/** The same with its share of the time that the rule's choice took: the median of the rounds, null if it could not be run. */
export interface ComparedTrial extends Trial {
  readonly ratio: number | null
}

/** Another candidate than the rule's must take at least this much less time: it costs the bits that other machines give. */
export const LEAST_GAIN = 0.07

/** @param trials  that of the rule first */
export const compareTrials = (trials: readonly Trial[]): readonly ComparedTrial[] =>
  trials.map((trial, i) => ({ ...trial, ratio: trial.rounds && (i === 0 ? 1 : median(trial.rounds.map(ratioOf))) }))

/**
 * The fastest candidate if it is clearly faster than the rule's: in the median of the rounds by `LEAST_GAIN`, and in
 * every single one. Both sides of a ratio ran one after the other, so that what else the machine does strikes both.
 *
 * @param trials  that of the rule first
 * @returns null if the rule's could not be run
 */
export function fastest(trials: readonly Trial[]): Execution | null {
  const [rule, ...others] = compareTrials(trials)
  if (!rule?.rounds) return null
  const clearly = others.filter(
    ({ ratio, rounds }) => ratio !== null && ratio <= 1 - LEAST_GAIN && rounds!.every((round) => ratioOf(round) < 1),
  )
  return [rule, ...clearly].reduce((best, each) => (each.ratio! < best.ratio! ? each : best)).execution
}

const ratioOf = ({ ms, ruleMs }: Round): number => ms / ruleMs
