import { describe, expect, it } from 'vitest'
import { meanInterval, studentQuantile } from '../../src/gate/interval.js'

describe('the quantile of Student', () => {
  // scipy.stats.t.ppf(0.975, df)
  it.each([
    [1, 12.706204736432095],
    [2, 4.302652729911275],
    [3, 3.182446305284263],
    [4, 2.7764451051977987],
    [9, 2.2621571627409915],
    [14, 2.1447866879169273],
    [29, 2.045229642132703],
    [99, 1.9842169515086827],
    [999, 1.9623414611334487],
  ])('with %i degrees of freedom is that of scipy', (df, wanted) => {
    expect(Math.abs(studentQuantile(df) / wanted - 1)).toBeLessThan(1e-9)
  })
})

describe('the interval of a mean', () => {
  it('with equal weights is m ± t s / √n', () => {
    // s² = 32 / 7, so SE² = 4 / 7; t of 7 degrees of freedom is 2.3646242515927844
    const half = 2.3646242515927844 * Math.sqrt(4 / 7)
    const { value, low, high } = meanInterval([2, 4, 4, 4, 5, 5, 7, 9])
    expect(value).toBe(5)
    expect(low).toBeCloseTo(5 - half, 8)
    expect(high).toBeCloseTo(5 + half, 8)
  })

  it('with sizes of clusters as weights is the ratio estimator', () => {
    // totals 4, 9, 10 of clusters of 2, 3, 5: R = 2.3, residuals −0.6, 2.1, −1.5, SE² = 3/2 · 7.02 / 100
    const half = 4.302652729911275 * Math.sqrt(0.1053)
    const { value, low, high } = meanInterval([2, 3, 2], [2, 3, 5])
    expect(value).toBeCloseTo(2.3, 12)
    expect(low).toBeCloseTo(2.3 - half, 8)
    expect(high).toBeCloseTo(2.3 + half, 8)
  })

  it('has no width where all values are the same', () => {
    expect(meanInterval([3, 3, 3], [1, 0, 2])).toEqual({ value: 3, low: 3, high: 3 })
  })
})
