import type { ClassRate } from './class-rate.js'

/** The events of one step; arrays of equal length N. */
export interface StepEvents {
  /** true = thumbs-up. */
  readonly labels: readonly boolean[]
  /** The events' own weights a. */
  readonly weights: ArrayLike<number>
  /** w(x); 1 for thumbs-up. */
  readonly densityRatios: ArrayLike<number>
}

/** How the losses of a step become one number, from `bco.mode` and `bco.reduction`. */
export type Reduction =
  | { readonly mode: 'paper'; readonly reduction: 'classRate'; readonly classRate: Pick<ClassRate, 'share'> }
  | { readonly mode: 'paper'; readonly reduction: 'classMean' }
  | { readonly mode: 'trl' }

/**
 * The constants c of L = Σᵢ cᵢ · softplus(−sᵢ (rᵢ − δ)), s = +1 for thumbs-up and −1 for thumbs-down, so that
 * ∂L/∂rᵢ = −cᵢ sᵢ σ(−sᵢ (rᵢ − δ)), and that micro-batches of one step simply add up.
 *
 * - `classRate`: a w / (N π̂_class), which estimates E₊[ℓ] + E₋[w ℓ] without bias even if a step holds one class only;
 * - `classMean`: a w / n_class, the mean over the ups plus the mean over the downs;
 * - `trl`: a w / N.
 *
 * @returns shape [N]
 */
export function coefficients({ labels, weights, densityRatios }: StepEvents, reduction: Reduction): Float64Array {
  const events = labels.length
  const ups = labels.filter(Boolean).length
  const divisor = (label: boolean): number => {
    if (reduction.mode === 'trl') return events
    if (reduction.reduction === 'classMean') return label ? ups : events - ups
    return events * reduction.classRate.share(label)
  }
  const up = divisor(true)
  const down = divisor(false)
  return Float64Array.from(labels, (label, i) => (weights[i]! * densityRatios[i]!) / (label ? up : down))
}
