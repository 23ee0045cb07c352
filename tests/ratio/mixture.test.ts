import { expect, test } from 'vitest'
import { Mixture } from '../../src/ratio/mixture.js'
import { samples } from './streams.js'

/** Two unit Gaussians at ±½: the log-ratio of their densities at x is x itself. */
const calibrated = (seed: number, upRate = 0.5) => samples({ width: 1, upRate, separation: 1, seed }, 8_000)
const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0)

function mixtureOf(logits: (x: number) => readonly number[], all = calibrated(1)): Mixture {
  const mixture = new Mixture(logits(0).length)
  for (const { embedding, label } of all) mixture.add(logits(embedding[0]!), label, 1)
  return mixture
}

test('trusts nothing until it has seen proof', () => {
  const mixture = new Mixture(2)
  expect([...mixture.trusts()]).toEqual([0, 0])
  mixture.add([0, 0], true, 1)
  expect(sum(mixture.trusts())).toBeLessThan(0.01)
})

test.each([0.5, 0.9])('with %d up, trusts calibrated logits as they are and those twice too sure by half', (upRate) => {
  const all = calibrated(2, upRate)
  expect(sum(mixtureOf((x) => [x], all).trusts())).toBeCloseTo(1, 0)
  const half = sum(mixtureOf((x) => [2 * x], all).trusts())
  expect(half).toBeGreaterThan(0.4)
  expect(half).toBeLessThan(0.65)
})

test('trusts no logits that point the wrong way or say nothing', () => {
  expect(sum(mixtureOf((x) => [-x]).trusts())).toBeLessThan(0.05)
  const noise = samples({ width: 2, upRate: 0.5, separation: 0, seed: 3 }, 8_000)
  expect(sum(mixtureOf((x) => [2 * x], noise).trusts())).toBeLessThan(0.05)
})

test('goes over to the fit that predicts better, and back within some dozen events', () => {
  const mixture = mixtureOf((x) => [x, -x])
  expect(mixture.trusts()[0]).toBeGreaterThan(0.8)
  for (const { embedding, label } of calibrated(4).slice(0, 100)) {
    mixture.add(
      [embedding[0]!, -3 * embedding[0]!].map((logit) => -logit),
      label,
      1,
    )
  }
  expect(mixture.trusts()[0]).toBeLessThan(0.1)
  expect(mixture.trusts()[1]).toBeGreaterThan(0.2)
})

test('an event of weight 0 and a class that stands alone change nothing of note', () => {
  const mixture = mixtureOf((x) => [x])
  const before = mixture.tensors()
  mixture.add([50], false, 0)
  expect(mixture.tensors()).toEqual(before)
  const alone = new Mixture(1)
  for (let i = 0; i < 1_000; i++) alone.add([20], false, 1)
  expect(sum(alone.trusts())).toBeLessThan(0.8)
  expect([...alone.tensors().weights!].every(Number.isFinite)).toBe(true)
})

test('goes on the same after a restore', () => {
  const original = mixtureOf((x) => [x, 0.5 * x], calibrated(5).slice(0, 100))
  const restored = new Mixture(2)
  restored.restore(original.tensors())
  for (const mixture of [original, restored]) mixture.add([0.3, -0.7], true, 0.5)
  expect(restored.tensors()).toEqual(original.tensors())
})
