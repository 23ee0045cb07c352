/** A mean with the ends of its 95 % interval. */
export interface Interval {
  readonly value: number
  readonly low: number
  readonly high: number
}

/**
 * Weighted mean m = Σ w x / Σ w, with Student's interval m ± t · SE at n − 1 degrees of freedom, where
 * SE² = n / (n − 1) · Σ w² (x − m)² / (Σ w)². With equal weights SE is s / √n. With w the size of a cluster and x its mean,
 * it is the ratio estimator of cluster sampling (Cochran, Sampling Techniques, 3rd ed., eq. 6.4 and 9A.6).
 *
 * @param values   two at least
 * @param weights  ≥ 0, not all 0; by default 1 each
 */
export function meanInterval(values: readonly number[], weights: readonly number[] = values.map(() => 1)): Interval {
  const n = values.length
  const total = weights.reduce((sum, w) => sum + w, 0)
  const value = values.reduce((sum, x, i) => sum + (weights[i] as number) * x, 0) / total
  const squares = values.reduce((sum, x, i) => sum + ((weights[i] as number) * (x - value)) ** 2, 0)
  const half = studentQuantile(n - 1) * Math.sqrt(((n / (n - 1)) * squares) / total ** 2)
  return { value, low: value - half, high: value + half }
}

/** The t with P(|T| ≤ t) = 0.95 for Student's T of `df` degrees of freedom, an integer from 1. */
export function studentQuantile(df: number): number {
  let [low, high] = [1.9, 13]
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2
    if (centralProbability(middle, df) < 0.95) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** P(|T| ≤ t): the finite sums of Abramowitz & Stegun, 26.7.3 and 26.7.4. */
function centralProbability(t: number, df: number): number {
  const theta = Math.atan(t / Math.sqrt(df))
  const [sine, cosine] = [Math.sin(theta), Math.cos(theta)]
  const isOdd = df % 2 === 1
  let term = isOdd ? cosine : 1
  let sum = df === 1 ? 0 : term
  for (let k = isOdd ? 3 : 2; k <= df - 2; k += 2) {
    term *= (cosine ** 2 * (k - 1)) / k
    sum += term
  }
  return isOdd ? (2 / Math.PI) * (theta + sine * sum) : sine * sum
}
