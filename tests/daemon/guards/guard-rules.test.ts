import { expect, test } from 'vitest'
import type { GuardedVote, GuardMeasures } from '../../../src/daemon/guards/guard-measures.js'
import { GuardRules } from '../../../src/daemon/guards/guard-rules.js'
import { userRandom } from '../../../src/demo/world/random.js'

const limits = { klBudget: 0, pauseOnCollapse: false, maxDelta: 0, upRateDrop: 0, upRateVotes: 100, steps: 4 }
const sound: GuardMeasures = { step: 1, distance: 0.1, delta: 0, rewardUpMean: 0.5, rewardDownMean: 0, votes: [] }

/** The first step that trips a guard, from 1. */
function firstTrip(config: object, steps: readonly Partial<GuardMeasures>[]) {
  const rules = new GuardRules({ ...limits, ...config })
  for (const [i, step] of steps.entries()) {
    const trip = rules.observe({ ...sound, ...step })
    if (trip !== null) return { at: i + 1, ...trip }
  }
  return null
}

const kl = (...values: (number | null)[]) => values.map((distance) => ({ distance }))
const margins = (...values: (number | null)[]) => values.map((rewardUpMean) => ({ rewardUpMean }))
const deltas = (...values: number[]) => values.map((delta) => ({ delta }))

test('kl: the mean of four steps is above the budget', () => {
  // means from the fourth step on: 0.5, 1, 1.5
  expect(firstTrip({ klBudget: 1 }, kl(0, 0, 0, 2, 2, 2))).toEqual({ at: 6, guard: 'kl', value: 1.5 })
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
  const wild = { distance: 1e3, delta: 1e3, rewardUpMean: -1e3 }
  expect(firstTrip({}, [...Array(4).fill(sound), ...Array(20).fill(wild)])).toBeNull()
})

/** Steps of eight votes each. */
function stepsOf(votes: readonly GuardedVote[]): readonly Partial<GuardMeasures>[] {
  return Array.from({ length: Math.floor(votes.length / 8) }, (_, i) => ({ votes: votes.slice(8 * i, 8 * i + 8) }))
}

test('up_rate: a fall that is certain trips it, and one user who votes a thousand times does not', () => {
  const config = { upRateDrop: 0.1, upRateVotes: 400 }
  const of = (users: number, upOf5: number, votes: number, name: string) =>
    Array.from({ length: votes }, (_, i) => ({ voter: `${name}-${i % users}`, label: (i * 7) % 5 < upOf5 }))
  const good = of(200, 4, 1_600, 'u')
  // from 80 % to 40 %: the last 400 votes are at 67 % when a third of them are the new ones
  const fallen = firstTrip(config, stepsOf([...good, ...of(200, 2, 800, 'v')]))
  expect(fallen).toMatchObject({ guard: 'up_rate' })
  expect(fallen!.at).toBeGreaterThan(200)
  expect(fallen!.at).toBeLessThan(250)
  expect(fallen!.value).toBeLessThan(-0.1)
  // the same thumbs by one person
  expect(firstTrip(config, stepsOf([...good, ...of(1, 0, 800, 'stranger')]))).toBeNull()
  // half of the votes are the stranger's
  const mixed = of(200, 4, 400, 'w').flatMap((vote) => [vote, { voter: 'stranger', label: false }])
  expect(firstTrip(config, stepsOf([...good, ...mixed]))).toBeNull()
})

test('up_rate: of 200 streams whose rate stays, with users who differ and vote often, one in a hundred trips at most', () => {
  const random = userRandom(3, 1)
  const tastes = Array.from({ length: 400 }, () => random())
  const stream = () =>
    Array.from({ length: 2_000 }, () => {
      const user = Math.floor(400 * random() ** 3)
      return { voter: String(user), label: random() < tastes[user]! }
    })
  const config = { upRateDrop: 0.1, upRateVotes: 200 }
  const trips = Array.from({ length: 200 }, () => firstTrip(config, stepsOf(stream()))).filter((trip) => trip !== null)
  expect(trips.length).toBeLessThanOrEqual(2)
}, 60_000)

test('of 1,000 sound but noisy streams of 500 steps, none trips a guard', () => {
  // limits 50 steps wide; a mean of 50 has a seventh of the noise of a step, so each limit is over 6 deviations away
  const config = { klBudget: 1, pauseOnCollapse: true, maxDelta: 5, steps: 50 }
  let seed = 1
  const uniform = () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0
    return (seed + 0.5) / 2 ** 32
  }
  const normal = () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform())
  const noisy = () => ({
    distance: Math.abs(0.1 + 0.5 * normal()),
    delta: 5 * normal(),
    rewardUpMean: 0.5 + 0.5 * normal(),
  })
  const trips = (steps: number) =>
    Array.from({ length: 1_000 }, () => firstTrip({ ...config, steps }, Array.from({ length: 500 }, noisy))).filter(
      (trip) => trip !== null,
    ).length
  expect(trips(50)).toBe(0)
  // single steps would have stopped every one
  expect(trips(1)).toBe(1_000)
}, 60_000)
