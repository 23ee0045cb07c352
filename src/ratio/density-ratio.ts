import { sigmoid } from './logistic.js'

export interface RatioBounds {
  /** `ratio.min`. */
  readonly min: number
  /** `ratio.max`. */
  readonly max: number
}

/** The density ratios of one step, and what there is to say of them. */
export interface DensityRatios {
  /** w(x) of each event; 1 for thumbs-up. */
  readonly values: Float64Array
  /** How many thumbs-down were clamped at each bound. */
  readonly clampedLow: number
  readonly clampedHigh: number
  /** (Σw)² / (n Σw²) over thumbs-down; 1 if there is none. */
  readonly effectiveSampleRatio: number
}

/**
 * w(x) = clamp(p_ψ(1|x) / p_ψ(0|x), min, max) for thumbs-down, 1 for thumbs-up (BCO, arXiv 2404.04656, section 4.2).
 *
 * @param logits  log p_ψ(1|x) / p_ψ(0|x), one for each label; 0 gives exactly 1
 * @param divisor w is divided by it after clamping
 */
export function densityRatios(
  logits: Float64Array,
  labels: readonly boolean[],
  bounds: RatioBounds,
  divisor = 1,
): DensityRatios {
  let clampedLow = 0
  let clampedHigh = 0
  const values = logits.map((logit, i) => {
    if (labels[i] || logit === 0) return 1
    const ratio = ratioOf(logit)
    if (ratio < bounds.min) clampedLow += 1
    if (ratio > bounds.max) clampedHigh += 1
    return clamped(logit, bounds) / divisor
  })
  const downs = values.filter((_, i) => !labels[i])
  return { values, clampedLow, clampedHigh, effectiveSampleRatio: effectiveSampleRatio(downs) }
}

/** TRL adds it to 1 − p; it keeps the ratio finite. */
const TRL_EPSILON = 1e-8

function ratioOf(logit: number): number {
  if (logit === 0) return 1
  const p = sigmoid(logit)
  return p / (1 - p + TRL_EPSILON)
}

/** p / (1 − p) of a logit within the bounds. */
export const clamped = (logit: number, { min, max }: RatioBounds): number =>
  Math.min(max, Math.max(min, ratioOf(logit)))

/** (Σw)² / (n Σw²): the share of n equally weighted samples that these weights are worth; 1 for none. */
export function effectiveSampleRatio(weights: Float64Array): number {
  if (weights.length === 0) return 1
  let sum = 0
  let squares = 0
  for (const weight of weights) {
    sum += weight
    squares += weight * weight
  }
  return (sum * sum) / (weights.length * squares)
}
