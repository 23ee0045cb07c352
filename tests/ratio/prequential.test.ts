import { expect, test } from 'vitest'
import { PrequentialRecord } from '../../src/ratio/prequential.js'
import { samples } from './streams.js'

/** Two unit Gaussians at ±½: the log-ratio of their densities at x is x itself. */
const calibrated = samples({ width: 1, upRate: 0.5, separation: 1, seed: 1 }, 4_000)

function recordOf(logit: (x: number) => number, all = calibrated): PrequentialRecord {
  const record = new PrequentialRecord()
  for (const { embedding, label } of all) record.add(logit(embedding[0]!), label, 1, record.slope)
  return record
}

test('knows nothing until both classes have been predicted', () => {
  const record = new PrequentialRecord()
  expect([record.logLoss, record.slope]).toEqual([null, 0])
  record.add(1, true, 1, 0)
  expect([record.logLoss, record.slope]).toEqual([null, 0])
  record.add(-1, false, 1, 0)
  expect(record.logLoss).toBeCloseTo(Math.LN2, 14)
  expect(record.slope).toBe(1)
})

test('trusts calibrated logits as they are, and logits that are twice too sure by half', () => {
  expect(recordOf((x) => x).slope).toBeGreaterThanOrEqual(0.8)
  const half = recordOf((x) => 2 * x).slope
  expect(half).toBeGreaterThanOrEqual(0.4)
  expect(half).toBeLessThanOrEqual(0.6)
})

test('does not trust logits that point the wrong way', () => {
  expect(recordOf((x) => -x).slope).toBe(0)
})

test('class imbalance does not change the loss', () => {
  const source = { width: 1, separation: 1, seed: 2 }
  const even = recordOf((x) => x, samples({ ...source, upRate: 0.5 }, 8_000)).logLoss!
  const skewed = recordOf((x) => x, samples({ ...source, upRate: 0.95 }, 40_000)).logLoss!
  expect(Math.abs(even - skewed)).toBeLessThan(0.04)
})

test('goes on the same after a restore', () => {
  const original = recordOf((x) => x, calibrated.slice(0, 100))
  const restored = new PrequentialRecord()
  restored.restore(original.tensors())
  for (const record of [original, restored]) record.add(0.3, true, 0.5, 0.7)
  expect(restored.tensors()).toEqual(original.tensors())
})
