// What repeated runs say: medians and quantiles, and mean differences of paired ones with their intervals.

/** Two-sided 95 % quantiles of Student's t, by degrees of freedom. */
const T_95 = [
  ...[Number.NaN, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145],
  ...[2.131, 2.12, 2.11, 2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042],
]
const RESAMPLES = 2000

export const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Of an even number of values, the mean of the middle two. */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b)
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2
}

/** The value that the share (above 0, at most 1) of the values does not exceed, by the nearest rank. */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.ceil(share * sorted.length) - 1]
}

/** Mean of paired differences and its 95 % interval, Student's t. @param differences  one a seed */
export function pairedT(differences) {
  const n = differences.length
  const middle = mean(differences)
  if (n < 2) return { mean: middle, low: null, high: null }
  const deviation = Math.sqrt(differences.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (n - 1))
  const half = ((T_95[n - 1] ?? 1.96) * deviation) / Math.sqrt(n)
  return { mean: middle, low: middle - half, high: middle + half }
}

/**
 * 95 % interval of the mean difference by the bootstrap, over seeds and over pairs at once: what other seeds, judged by
 * other pairs, would give.
 *
 * @param differences  a row for each seed, a column for each pair
 * @param random  numbers in [0, 1)
 */
export function bootstrap(differences, random) {
  const draw = (count) => Array.from({ length: count }, () => Math.floor(random() * count))
  const means = Array.from({ length: RESAMPLES }, () => {
    const [seeds, pairs] = [draw(differences.length), draw(differences[0].length)]
    let sum = 0
    for (const seed of seeds) for (const pair of pairs) sum += differences[seed][pair]
    return sum / (seeds.length * pairs.length)
  }).sort((a, b) => a - b)
  return { low: means[Math.floor(0.025 * RESAMPLES)], high: means[Math.ceil(0.975 * RESAMPLES) - 1] }
}
