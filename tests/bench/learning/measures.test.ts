import { describe, expect, it } from 'vitest'
import { measures } from '../../../bench/learning/measures.mjs'

describe('measures', () => {
  it('counts a tie half', () => {
    expect([2, 0, -2].map(measures.accuracy)).toEqual([1, 0.5, 0])
  })

  it('takes log σ of the margin in rewards, also far from 0', () => {
    expect(measures.log_sigma(0, 0.1)).toBeCloseTo(-Math.LN2, 12)
    expect(measures.log_sigma(10, 0.1)).toBeCloseTo(Math.log(1 / (1 + Math.exp(-1))), 12)
    expect(measures.log_sigma(-20_000, 0.1)).toBe(-2000)
    expect(measures.log_sigma(20_000, 0.1)).toBeCloseTo(0, 12)
  })
})
