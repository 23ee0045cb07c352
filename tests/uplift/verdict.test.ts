import { expect, it } from 'vitest'
import { ClusteredRate } from '../../src/uplift/clustered-rate.js'
import { differenceOf, LEAST_USERS } from '../../src/uplift/difference.js'
import { verdictOf } from '../../src/uplift/verdict.js'

const OPTIONS = { margin: 0.05, alpha: 0.05, minVotes: 200 }

/** Users with one vote each, `ups` of them a thumbs-up. */
function arm(users: number, ups: number): ClusteredRate {
  const rate = new ClusteredRate()
  for (let user = 0; user < users; user++) rate.change({ votes: 0, ups: 0 }, { votes: 1, ups: user < ups ? 1 : 0 })
  return rate
}

it('with few users nothing is known, however clear it looks', () => {
  const few = arm(LEAST_USERS - 1, 0)
  expect(verdictOf(few, arm(5000, 5000), OPTIONS)).toEqual({ verdict: 'open', difference: null })
  expect(verdictOf(arm(LEAST_USERS, 0), arm(5000, 5000), OPTIONS).verdict).toBe('worse')
})

it('a canary as good as live is not worse by more than the margin once there are enough votes', () => {
  expect(verdictOf(arm(300, 240), arm(300, 240), OPTIONS).verdict).toBe('open')
  const { verdict, difference } = verdictOf(arm(4000, 3200), arm(4000, 3200), OPTIONS)
  expect(verdict).toBe('not worse')
  expect(difference!.low).toBeGreaterThan(-0.05)
  expect(verdictOf(arm(4000, 3200), arm(4000, 3200), { ...OPTIONS, minVotes: 4001 }).verdict).toBe('open')
})

it('a canary that is certainly worse is worse, although it may be within the margin', () => {
  const { verdict, difference } = verdictOf(arm(40_000, 31_000), arm(40_000, 32_000), OPTIONS)
  expect(difference!.low).toBeGreaterThan(-0.05)
  expect(difference!.high).toBeLessThan(0)
  expect(verdict).toBe('worse')
})

it('a hundred votes of one label each do not make an interval of width 0', () => {
  const { low, high } = differenceOf(arm(100, 100), arm(100, 100), { alpha: 0.05, scale: 0.05 })!
  expect(high - low).toBeGreaterThan(0.05)
})

it('one user with ten thousand votes decides nothing', () => {
  const live = arm(1000, 800)
  const canary = arm(100, 80)
  canary.change({ votes: 0, ups: 0 }, { votes: 10_000, ups: 0 })
  // of the canary's votes 99 % are thumbs-down
  expect(canary.rate).toBeLessThan(0.01)
  expect(verdictOf(canary, live, OPTIONS).verdict).toBe('open')
})
