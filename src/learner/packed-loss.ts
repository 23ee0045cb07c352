import type { InputValue } from '../engine/index.js'

/** What the loss of a packed batch needs; arrays by row. */
export interface PackedTerms {
  readonly referenceLogps: readonly number[]
  /** true = thumbs-up. */
  readonly labels: readonly boolean[]
  /** Each row's share of the step's loss. */
  readonly coefficients: readonly number[]
  readonly delta: number
  /** Starts a new sum of gradients. */
  readonly first: boolean
}

/** What a step learns of a packed batch; arrays by row. */
export interface PackedLoss {
  readonly logps: readonly number[]
  readonly rewards: readonly number[]
  readonly loss: number
}

/** The terms as `accumulate` takes them, for a batch of so many rows. */
export function termInputs(
  { referenceLogps, labels, coefficients, delta, first }: PackedTerms,
  rows: number,
): Readonly<Record<string, InputValue>> {
  const padded = (values: readonly number[]) => Float32Array.from({ length: rows }, (_, row) => values[row] ?? 0)
  return {
    reference_logps: padded(referenceLogps),
    signs: padded(labels.map((up) => (up ? 1 : -1))),
    coefficients: padded(coefficients),
    delta: Float32Array.of(delta),
    first: first ? 1 : 0,
  }
}
