import { expect, test } from 'vitest'
import { type GuardMeasures, GuardRules } from '../../src/daemon/guard-rules.js'

const limits = { klBudget: 0, pauseOnCollapse: false, maxDelta: 0, steps: 4 }
const sound: GuardMeasures = { klPerToken: 0.1, delta: 0, rewardUpMean: 0.5, rewardDownMean: 0 }

/** The first step that trips a guard, from 1. */
function firstTrip(config: object, steps: readonly Partial<GuardMeasures>[]) {
  const rules = new GuardRules({ ...limits, ...config })
  for (const [i, step] of steps.entries()) {
    const trip = rules.observe({ ...sound, ...step })
    if (trip !== null) return { at: i + 1, ...trip }
  }
  return null
}

const kl = (...values: (number | null)[]) => values.map((klPerToken) => ({ klPerToken }))
const margins = (...values: (number | null)[]) => values.map((rewardUpMean) => ({ rewardUpMean }))
const deltas = (...values: number[]) => values.map((delta) => ({ delta }))

test('kl: the mean of four steps is beyond the budget, on either side', () => {
  // means from the fourth step on: 0.5, 1, 1.5
  expect(firstTrip({ klBudget: 1 }, kl(0, 0, 0, 2, 2, 2))).toEqual({ at: 6, guard: 'kl', value: 1.5 })
  expect(firstTrip({ klBudget: 1 }, kl(-2, -2, -2, -2))).toEqual({ at: 4, guard: 'kl', value: -2 })
  expect(firstTrip({ klBudget: 1 }, kl(3, 0, 0, 0, 3, 0, 0, 0))).toBeNull()
})

test('steps that measured nothing do not count', () => {
  expect(firstTrip({ klBudget: 1 }, kl(2, null, 2, null, 2, 2))).toEqual({ at: 6, guard: 'kl', value: 2 })
})

test('margin: below 0 after it was above 0.1, not before', () => {
  expect(firstTrip({ pauseOnCollapse: true }, margins(-1, -1, -1, -1, -1))).toBeNull()
  // means from the fourth step on: 0.5, 0.25, 0, -0.25
  const collapse = margins(0.5, 0.5, 0.5, 0.5, -0.5, -0.5, -0.5)
  expect(firstTrip({ pauseOnCollapse: true }, collapse)).toEqual({ at: 7, guard: 'margin', value: -0.25 })
  expect(firstTrip({ pauseOnCollapse: true }, margins(0.05, 0.05, 0.05, 0.05, -1, null, -1, -1, -1))).toBeNull()
})

test('delta: beyond the limit, on either side', () => {
  expect(firstTrip({ maxDelta: 5 }, deltas(4, 4, 6, 6, 6))).toEqual({ at: 5, guard: 'delta', value: 5.5 })
  expect(firstTrip({ maxDelta: 5 }, deltas(-6, -6, -6, -6))).toEqual({ at: 4, guard: 'delta', value: -6 })
})

test('without limits nothing trips', () => {
  const wild = { klPerToken: 1e3, delta: 1e3, rewardUpMean: -1e3 }
  expect(firstTrip({}, [...Array(4).fill(sound), ...Array(20).fill(wild)])).toBeNull()
})

test('of 1,000 sound but noisy streams of 500 steps, none trips a guard', () => {
  // limits 50 steps wide; a mean of 50 has a seventh of the noise of a step, so each limit is over 6 deviations away
  const config = { klBudget: 1, pauseOnCollapse: true, maxDelta: 5, steps: 50 }
  let seed = 1
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return (seed + 0.5) / 2 ** 32
  }
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  const noisy = () => ({ klPerToken: 0.1 + normal(), delta: 5 * normal(), rewardUpMean: 0.5 + 0.5 * normal() })
  const trips = (steps: number) =>
    Array.from({ length: 1_000 }, () => firstTrip({ ...config, steps }, Array.from({ length: 500 }, noisy))).filter(
      (trip) => trip !== null,
    ).length
  expect(trips(50)).toBe(0)
  // single steps would have stopped every one
  expect(trips(1)).toBe(1_000)
}, 60_000)
