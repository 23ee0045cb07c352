import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { densityRatios, effectiveSampleRatio } from '../../src/ratio/density-ratio.js'
import { dot } from '../../src/ratio/logistic.js'
import { golden } from './golden.js'

const BOUNDS = { min: 0.5, max: 10 }

interface Batch {
  readonly rejected_embeddings: number[][] | null
  readonly rejected_weight: number[] | null
}

test('gives the weights that TRL gave with the same coefficients', () => {
  const { cases } = JSON.parse(readFileSync(new URL('../golden/bco_loss.json', import.meta.url), 'utf8'))
  const theta = Float64Array.of(...golden.trl.coef, golden.trl.intercept)
  const batches: Batch[] = cases.flatMap(({ batches }: { batches: Batch[] }) => batches)
  let compared = 0
  for (const { rejected_embeddings: embeddings, rejected_weight: expected } of batches) {
    if (!embeddings || !expected) continue
    const logits = Float64Array.from(embeddings, (x) => dot(theta, Float64Array.of(...x, 1)))
    const { values } = densityRatios(
      logits,
      embeddings.map(() => false),
      BOUNDS,
    )
    values.forEach((weight, i) => {
      expect(Math.abs(weight - expected[i]!)).toBeLessThanOrEqual(1e-5 * expected[i]!)
      compared += 1
    })
  }
  expect(compared).toBeGreaterThan(10)
})

test('thumbs-up weigh 1, thumbs-down the clamped ratio, and clamps are counted at each bound', () => {
  const logits = Float64Array.of(5, Math.log(2), -5, 5, 0, -6)
  const ratios = densityRatios(logits, [true, false, false, false, false, false], BOUNDS)
  expect([...ratios.values]).toEqual([1, expect.closeTo(2, 6), 0.5, 10, 1, 0.5])
  expect([ratios.clampedLow, ratios.clampedHigh]).toEqual([2, 1])
})

test('bounds above or below 1 do not touch a classifier that knows nothing', () => {
  expect([...densityRatios(Float64Array.of(0), [false], { min: 2, max: 3 }).values]).toEqual([1])
})

test('the effective sample size is 1 for equal weights and 1/n for a single one that counts', () => {
  expect(effectiveSampleRatio(Float64Array.of(3, 3, 3))).toBeCloseTo(1, 14)
  expect(effectiveSampleRatio(Float64Array.of(1, 0, 0, 0))).toBe(0.25)
  expect(effectiveSampleRatio(Float64Array.of(1, 3))).toBe(16 / 20)
  expect(effectiveSampleRatio(new Float64Array(0))).toBe(1)
})

test('a ratio that overflows is clamped, not infinite', () => {
  const { values, effectiveSampleRatio: share } = densityRatios(Float64Array.of(1e4, -1e4), [false, false], BOUNDS)
  expect([...values]).toEqual([10, 0.5])
  expect(share).toBeCloseTo(10.5 ** 2 / (2 * 100.25), 14)
})
