/** A score with the weight of its event, > 0. */
export interface Scored {
  readonly score: number
  readonly weight: number
}

/** An AUC, and what each event contributes to it. */
export interface Auc {
  /** P(score of an up > score of a down), ties ½, by weight. */
  readonly auc: number
  /** For each up, the weighted share of the downs below it, ties ½; their weighted mean is the AUC. */
  readonly ups: readonly number[]
  /** For each down, the weighted share of the ups above it, ties ½; their weighted mean is the AUC. */
  readonly downs: readonly number[]
}

/**
 * Area under the ROC curve with the structural components V₁₀ (ups) and V₀₁ (downs) of DeLong, DeLong and Clarke-Pearson
 * (Biometrics 44, 1988), by sorting as in Sun and Xu (IEEE Signal Processing Letters 21, 2014).
 *
 * @param ups, downs  one each at least; scores are finite
 */
export function aucOf(ups: readonly Scored[], downs: readonly Scored[]): Auc {
  const belowDowns = weightBelow(downs)
  const belowUps = weightBelow(ups)
  const [ofDowns, ofUps] = [totalWeight(downs), totalWeight(ups)]
  const upShares = ups.map(({ score }) => belowDowns(score) / ofDowns)
  return {
    auc: ups.reduce((sum, { weight }, i) => sum + weight * (upShares[i] as number), 0) / ofUps,
    ups: upShares,
    downs: downs.map(({ score }) => 1 - belowUps(score) / ofUps),
  }
}

const totalWeight = (events: readonly Scored[]): number => events.reduce((sum, { weight }) => sum + weight, 0)

/** Returns the weight of the events with a lower score, and half of that of equal ones. */
function weightBelow(events: readonly Scored[]): (score: number) => number {
  const sorted = [...events].sort((a, b) => a.score - b.score)
  const sums = [0]
  for (const { weight } of sorted) sums.push((sums.at(-1) as number) + weight)
  /** How many come first of which this holds; it holds of none after one of which it does not. */
  const countWhile = (holds: (score: number) => boolean): number => {
    let [low, high] = [0, sorted.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (holds((sorted[middle] as Scored).score)) low = middle + 1
      else high = middle
    }
    return low
  }
  return (score) => {
    const below = sums[countWhile((other) => other < score)] as number
    const upTo = sums[countWhile((other) => other <= score)] as number
    return (below + upTo) / 2
  }
}
