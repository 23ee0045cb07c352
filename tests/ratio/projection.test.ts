import { expect, test } from 'vitest'
import { dot } from '../../src/ratio/logistic.js'
import { Projection } from '../../src/ratio/projection.js'
import { samples } from './streams.js'

test('an embedding that is narrow enough passes unchanged, with a 1 for the intercept', () => {
  expect([...new Projection(3, 8, 1).withIntercept(Float32Array.of(1, 2, 3))]).toEqual([1, 2, 3, 1])
})

test('is a pure function of the seed', () => {
  const x = Float64Array.from({ length: 40 }, (_, i) => i)
  const project = (seed: number) => new Projection(40, 16, seed).withIntercept(x)
  expect(project(5)).toEqual(project(5))
  expect(project(5)).not.toEqual(project(6))
  expect(project(5)).toHaveLength(17)
})

test('keeps lengths and inner products: the mean over seeds is exact, the spread is that of the theory', () => {
  const [x, y] = samples({ width: 600, upRate: 1, separation: 0, seed: 4 }, 2).map(({ embedding }) => embedding)
  const seeds = Array.from({ length: 200 }, (_, seed) => seed)
  const products = seeds.map((seed) => {
    const projection = new Projection(600, 256, seed)
    return dot(projection.withIntercept(x!), projection.withIntercept(y!)) - 1
  })
  const mean = products.reduce((sum, product) => sum + product, 0) / products.length
  // Each product has variance about (‖x‖²‖y‖² + (xᵀy)²) / 256; the mean of 200 a standard error 14 times smaller.
  const spread = Math.sqrt((dot(x!, x!) * dot(y!, y!) + dot(x!, y!) ** 2) / 256)
  expect(Math.abs(mean - dot(x!, y!))).toBeLessThan((4 * spread) / Math.sqrt(200))
  const variance = products.reduce((sum, product) => sum + (product - mean) ** 2, 0) / 199
  expect(Math.sqrt(variance) / spread).toBeGreaterThan(0.8)
  expect(Math.sqrt(variance) / spread).toBeLessThan(1.2)
})

test('refuses an embedding of another width', () => {
  expect(() => new Projection(3, 8, 1).withIntercept(Float64Array.of(1))).toThrow(/width 1, expected 3/)
})
