import { type Interval, studentQuantile } from './interval.js'

/** A value in the mean of its class. */
export interface Sample {
  readonly value: number
  /** > 0 */
  readonly weight: number
  /** Samples of one cluster depend on each other, also across the classes. */
  readonly cluster: number
}

/**
 * 95 % interval of a figure whose error is that of the weighted means of two classes, added up: of a loss that is the sum
 * of both means, and of an AUC, whose error is the mean error of DeLong's components of each class.
 *
 * With u the share of a sample in its mean's error, w (x − x̄) / Σw, added up over each cluster k to U₁ₖ and U₀ₖ, and I₁, I₀,
 * I the clusters with samples of the one class, the other, and any,
 *
 *     SE² = I₁/(I₁−1) Σ U₁ₖ² + I₀/(I₀−1) Σ U₀ₖ² + 2 I/(I−1) Σ U₁ₖ U₀ₖ
 *
 * (Obuchowski, Biometrics 53, 1997, for clustered ROC curves, with weights as in a ratio estimator). Where every sample is
 * a cluster of its own, it is Welch's SE² = s₁²/n₁ + s₀²/n₀, and for an AUC DeLong's. Student's quantile at min(I₁, I₀) − 1
 * degrees of freedom, which Welch's are never below.
 *
 * @param value  the figure
 * @param one, other  of two clusters each at least
 */
export function twoClassInterval(value: number, one: readonly Sample[], other: readonly Sample[]): Interval {
  const [ones, others] = [errorsByCluster(one), errorsByCluster(other)]
  const clusters = new Set([...ones.keys(), ...others.keys()]).size
  const square = (errors: ReadonlyMap<number, number>) =>
    unbiased(errors.size) * [...errors.values()].reduce((sum, u) => sum + u * u, 0)
  const product = [...ones].reduce((sum, [cluster, u]) => sum + u * (others.get(cluster) ?? 0), 0)
  const variance = square(ones) + square(others) + 2 * unbiased(clusters) * product
  // rounding may leave a tiny negative sum where all errors cancel out
  const half = studentQuantile(Math.min(ones.size, others.size) - 1) * Math.sqrt(Math.max(0, variance))
  return { value, low: value - half, high: value + half }
}

const unbiased = (clusters: number): number => clusters / (clusters - 1)

function errorsByCluster(samples: readonly Sample[]): ReadonlyMap<number, number> {
  const total = samples.reduce((sum, { weight }) => sum + weight, 0)
  const mean = samples.reduce((sum, { value, weight }) => sum + weight * value, 0) / total
  const errors = new Map<number, number>()
  for (const { value, weight, cluster } of samples)
    errors.set(cluster, (errors.get(cluster) ?? 0) + (weight * (value - mean)) / total)
  return errors
}
