import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ClassBalancedShift,
  PooledMeanShift,
  type RewardedStep,
  type RewardShift,
} from '../../src/loss/reward-shift.js'
import { goldenCases, labelsOf, policyOf, referenceOf, rewardsOf } from './golden.js'

const step = (rewards: number[], labels: boolean[], weights = rewards.map(() => 1)): RewardedStep => ({
  rewards,
  labels,
  weights,
})

describe('the pooled mean gives the δ that TRL gave', () => {
  test.each(goldenCases)('$name', ({ beta, batches, eval_last_batch_do_train_False: evaluation }) => {
    const exact = new PooledMeanShift()
    const fromLogps = new PooledMeanShift()
    for (const batch of batches) {
      const labels = labelsOf(batch)
      expect(exact.delta(step(rewardsOf(batch), labels))).toBe(batch.delta)
      exact.update(step(rewardsOf(batch), labels))
      expect(exact.snapshot()).toEqual({ mean: batch.running_after.mean, count: batch.running_after.count })

      const reference = referenceOf(batch)
      const rewards = policyOf(batch).map((logp, i) => beta * (logp - reference[i]!))
      const delta = fromLogps.delta(step(rewards, labels))
      expect(Math.abs(delta - batch.delta)).toBeLessThanOrEqual(1e-5 * Math.max(1, Math.abs(batch.delta)))
      fromLogps.update(step(rewards, labels))
    }
    expect(Math.fround(exact.snapshot().mean)).toBe(evaluation.delta)
  })
})

test('the pooled mean takes in the step itself, so that the very first loss is ln 2', () => {
  const shift = new PooledMeanShift()
  expect(shift.needsRewards).toBe(true)
  expect(shift.delta(step([0.75], [true]))).toBe(0.75)
})

test('the class-balanced shift is 0 until both classes have been seen', () => {
  const shift = new ClassBalancedShift(10)
  expect(shift.delta()).toBe(0)
  shift.update(step([5, 7], [true, true]))
  expect(shift.delta()).toBe(0)
  shift.update(step([1], [false]))
  expect(shift.delta()).toBeCloseTo(3.5, 14)
})

test('a class mean is the mean of its steps, each weighted by the half-lives since', () => {
  // Half-life 2: a step of 2 events keeps ½. Weights of the two steps of ups: ½·½ and ½.
  const shift = new ClassBalancedShift(2)
  shift.update(step([0, 2], [true, true]))
  shift.update(step([4, 4], [true, true]))
  shift.update(step([-1], [false]))
  const up = (0.25 * 1 + 0.5 * 4) / 0.75
  expect(shift.delta()).toBeCloseTo(0.5 * (up - 1), 14)
})

test('k steps of one event each forget as much as one step of k events', () => {
  const one = new ClassBalancedShift(7)
  const many = new ClassBalancedShift(7)
  one.update(step([3, 3, 3], [true, true, true]))
  for (let i = 0; i < 3; i++) many.update(step([3], [true]))
  expect(many.snapshot().upMass).toBeCloseTo(one.snapshot().upMass, 14)
  expect(many.snapshot().upSum).toBeCloseTo(one.snapshot().upSum, 14)
})

test('means are weighted by the events’ own weights, and a class of weight 0 does not count', () => {
  const shift = new ClassBalancedShift(10)
  shift.update(step([1, 5, 9], [true, true, false], [3, 1, 0]))
  expect(shift.delta()).toBe(0)
  shift.update(step([0], [false]))
  expect(shift.delta()).toBeCloseTo(1, 14)
})

test('class imbalance does not move the class-balanced shift', () => {
  const shift = new ClassBalancedShift(100)
  for (let i = 0; i < 200; i++) shift.update(step([1, 1, 1, 1, 1, 1, 1, -1], [...Array(7).fill(true), false]))
  expect(shift.delta()).toBeCloseTo(0, 12)
})

const steps = fc.array(
  fc.array(
    fc.tuple(fc.double({ min: -50, max: 50, noNaN: true }), fc.boolean(), fc.double({ min: 0, max: 1, noNaN: true })),
    {
      maxLength: 6,
    },
  ),
  { maxLength: 12 },
)

describe.each<[string, () => RewardShift]>([
  ['class-balanced', () => new ClassBalancedShift(5)],
  ['pooled', () => new PooledMeanShift()],
])('the %s shift', (_, make) => {
  test('refuses a non-finite reward and keeps its state', () => {
    const shift = make()
    shift.update(step([1, 2], [true, false]))
    const before = shift.snapshot()
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(() => shift.update(step([1, bad], [true, false]))).toThrow(/non-finite/)
    }
    expect(shift.snapshot()).toEqual(before)
  })

  test('goes on the same after it was saved and restored', () => {
    fc.assert(
      fc.property(steps, steps, (before, after) => {
        const original = make()
        const restored = make()
        const asStep = (events: (typeof before)[number]) =>
          step(
            events.map(([reward]) => reward),
            events.map(([, label]) => label),
            events.map(([, , weight]) => weight),
          )
        for (const events of before) original.update(asStep(events))
        for (const events of after) restored.update(asStep(events))
        restored.restore(JSON.parse(JSON.stringify(original.snapshot())))
        for (const events of after) {
          expect(restored.delta(asStep(events))).toBe(original.delta(asStep(events)))
          for (const shift of [original, restored]) shift.update(asStep(events))
        }
        expect(restored.snapshot()).toEqual(original.snapshot())
      }),
    )
  })
})
