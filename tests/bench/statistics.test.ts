import { describe, expect, it } from 'vitest'
import { bootstrap, median, pairedT, quantile } from '../../bench/statistics.mjs'
import { seededRandom } from '../../src/model/random.js'

describe('median', () => {
  it('is the middle value, or the mean of the middle two', () => {
    expect(median([10, 1, 2])).toBe(2)
    expect(median([10, 1, 2, 4])).toBe(3)
  })
})

describe('quantile', () => {
  it('has the values of numpy.quantile(…, method="inverted_cdf")', () => {
    const values = [50, 15, 20, 40, 35]
    expect([0.05, 0.3, 0.4, 0.5, 1].map((share) => quantile(values, share))).toEqual([15, 20, 20, 35, 50])
  })
})

describe('pairedT', () => {
  it('has the interval that scipy.stats.t.interval has', () => {
    // scipy 1.17: t.interval(0.95, df=3, loc=2.5, scale=sem([1, 2, 3, 4]))
    const { mean, low, high } = pairedT([1, 2, 3, 4])
    expect(mean).toBe(2.5)
    expect(low).toBeCloseTo(0.445739743239121, 3)
    expect(high).toBeCloseTo(4.5542602567608785, 3)
  })

  it('has no interval for one value', () => {
    expect(pairedT([0.5])).toEqual({ mean: 0.5, low: null, high: null })
  })
})

describe('bootstrap', () => {
  it('comes to the interval of a mean where seeds do not differ', () => {
    const pairs = Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? 1 : -1))
    const { low, high } = bootstrap(
      Array.from({ length: 10 }, () => pairs),
      seededRandom(1, 'test'),
    )
    // 1.96 standard errors of 400 values of variance 1
    expect(low).toBeGreaterThan(-0.118)
    expect(low).toBeLessThan(-0.078)
    expect(high).toBeGreaterThan(0.078)
    expect(high).toBeLessThan(0.118)
  })

  it('takes in how seeds differ', () => {
    const seeds = [-1, 1, -1, 1].map((value) => Array.from({ length: 100 }, () => value))
    const { low, high } = bootstrap(seeds, seededRandom(1, 'test'))
    expect(low).toBe(-1)
    expect(high).toBe(1)
  })
})
