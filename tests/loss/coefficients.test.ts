import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { coefficients, type Reduction } from '../../src/loss/coefficients.js'
import { goldenCases, labelsOf, policyOf, referenceOf, rewardsOf } from './golden.js'

const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x))
const sign = (label: boolean) => (label ? 1 : -1)
const ones = (n: number) => new Float64Array(n).fill(1)

/** L = Σ c softplus(−s (r − δ)) and its gradient, written out. */
function loss(c: Float64Array, labels: readonly boolean[], rewards: readonly number[], delta: number) {
  const margins = rewards.map((reward, i) => sign(labels[i]!) * (reward - delta))
  return {
    value: margins.reduce((sum, margin, i) => sum + c[i]! * softplus(-margin), 0),
    gradient: margins.map((margin, i) => -c[i]! * sign(labels[i]!) * sigmoid(-margin)),
  }
}

const norm = (x: readonly number[]) => Math.hypot(...x)

describe('in trl mode loss and gradients are those that TRL gave', () => {
  test.each(goldenCases)('$name', ({ beta, batches }) => {
    for (const batch of batches) {
      const labels = labelsOf(batch)
      const reference = referenceOf(batch)
      const rewards = policyOf(batch).map((logp, i) => beta * (logp - reference[i]!))
      rewardsOf(batch).forEach((reward, i) => {
        expect(Math.abs(rewards[i]! - reward)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(reward)))
      })
      const densityRatios = Float64Array.from(labels, () => 1)
      batch.rejected_weight?.forEach((weight, i) => {
        densityRatios[batch.policy_chosen.length + i] = weight
      })
      const c = coefficients({ labels, weights: ones(labels.length), densityRatios }, { mode: 'trl' })
      const { value, gradient } = loss(c, labels, rewards, batch.delta)
      expect(Math.abs(value - batch.loss_nanmean)).toBeLessThanOrEqual(1e-5 * Math.abs(batch.loss_nanmean))
      const expected = [...batch.grad_policy_chosen, ...batch.grad_policy_rejected]
      const difference = gradient.map((g, i) => beta * g - expected[i]!)
      expect(norm(difference)).toBeLessThanOrEqual(1e-5 * norm(expected))
    }
  })
})

test('the literal class mean is the mean over the ups plus the mean over the downs', () => {
  const labels = [true, false, true, true]
  const c = coefficients(
    { labels, weights: [1, 0.5, 1, 0.25], densityRatios: [1, 3, 1, 1] },
    { mode: 'paper', reduction: 'classMean' },
  )
  expect([...c]).toEqual([1 / 3, 1.5, 1 / 3, 0.25 / 3])
})

test('the class rate divides by the number of events and the share of the class', () => {
  const classRate = { share: (label: boolean) => (label ? 0.8 : 0.2) }
  const c = coefficients(
    { labels: [true, false], weights: [1, 1], densityRatios: [1, 2] },
    { mode: 'paper', reduction: 'classRate', classRate },
  )
  expect([...c]).toEqual([1 / (2 * 0.8), 2 / (2 * 0.2)])
})

test('with the true shares the class rate equals the class mean in expectation, whatever one step holds', () => {
  // All steps of two events drawn from ups (share ¾, loss 2) and downs (share ¼, loss 8), with their probabilities.
  const share = (label: boolean) => (label ? 0.75 : 0.25)
  let expectation = 0
  for (const labels of [
    [true, true],
    [true, false],
    [false, true],
    [false, false],
  ]) {
    const step = { labels, weights: ones(2), densityRatios: ones(2) }
    const c = coefficients(step, { mode: 'paper', reduction: 'classRate', classRate: { share } })
    const value = labels.reduce((sum, label, i) => sum + c[i]! * (label ? 2 : 8), 0)
    expectation += share(labels[0]!) * share(labels[1]!) * value
  }
  expect(expectation).toBeCloseTo(2 + 8, 13)
})

test('micro-batches of a step add up to the step', () => {
  const labels = [true, false, true, false]
  const rewards = [0.3, -0.2, 1.1, 0.4]
  const reduction: Reduction = { mode: 'paper', reduction: 'classMean' }
  const c = coefficients({ labels, weights: [1, 1, 0.5, 1], densityRatios: [1, 2, 1, 0.7] }, reduction)
  const part = (from: number, to: number) =>
    loss(c.slice(from, to), labels.slice(from, to), rewards.slice(from, to), 0.1).value
  expect(part(0, 1) + part(1, 4)).toBeCloseTo(loss(c, labels, rewards, 0.1).value, 14)
})

test('with w = 1, BCO of a pair with any δ is above its DPO loss, and so is plain cross-entropy', () => {
  const real = fc.double({ min: -30, max: 30, noNaN: true })
  fc.assert(
    fc.property(real, real, real, (chosen, rejected, delta) => {
      const labels = [true, false]
      const c = coefficients(
        { labels, weights: ones(2), densityRatios: ones(2) },
        { mode: 'paper', reduction: 'classMean' },
      )
      const dpo = softplus(-(chosen - rejected))
      for (const shift of [delta, 0]) {
        expect(loss(c, labels, [chosen, rejected], shift).value).toBeGreaterThanOrEqual(dpo)
      }
    }),
  )
})
