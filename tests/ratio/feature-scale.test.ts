import { expect, test } from 'vitest'
import { FeatureScale } from '../../src/ratio/feature-scale.js'

test('is the weighted variance, with the past discounted', () => {
  const scale = new FeatureScale(1)
  scale.add(Float64Array.of(1), 1)
  scale.add(Float64Array.of(3), 1)
  scale.forget(0.5)
  scale.add(Float64Array.of(7), 2)
  // Weights ½, ½, 2 on 1, 3, 7.
  const mean = (0.5 + 1.5 + 14) / 3
  const variance = (0.5 * (1 - mean) ** 2 + 0.5 * (3 - mean) ** 2 + 2 * (7 - mean) ** 2) / 3
  expect(scale.mean[0]).toBeCloseTo(mean, 14)
  expect(scale.precision(0)).toBeCloseTo(variance, 13)
})

test('a constant feature gets its square, a feature that is always 0 gets 1', () => {
  const scale = new FeatureScale(2)
  for (let i = 0; i < 10; i++) scale.add(Float64Array.of(5, 0), 1)
  expect(scale.precision(0)).toBe(25)
  expect(scale.precision(1)).toBe(1)
})
