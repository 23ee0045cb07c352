import { expect, it } from 'vitest'
import { follow, voteStream } from '../../bench/canary/streams.mjs'
import { ClusteredRate } from '../../src/uplift/clustered-rate.js'
import { differenceOf } from '../../src/uplift/difference.js'
import { verdictOf } from '../../src/uplift/verdict.js'
import { runs } from '../support/thorough.js'

const OPTIONS = { margin: 0.05, alpha: 0.05, minVotes: 200 }
const STREAMS = runs(1000)
const USERS = { users: 1000, share: 0.3, up: 0.8, taste: 8, tail: 1.5, votes: 6000 }

/** Of how many streams each verdict was reached at some look, and how often the interval ever missed the truth. */
function verdicts(effect: number) {
  const reached = { worse: 0, 'not worse': 0, missed: 0 }
  for (let seed = 1; seed <= STREAMS; seed++) {
    const seen = new Set<string>()
    follow(voteStream({ ...USERS, seed, effect }), { rate: () => new ClusteredRate(), cap: 100 }, (canary, live) => {
      const { verdict, difference } = verdictOf(canary, live, OPTIONS)
      seen.add(verdict)
      if (difference && (difference.low > effect || difference.high < effect)) seen.add('missed')
      return false // it goes on, whatever was reached: any look may err
    })
    for (const name of ['worse', 'not worse', 'missed'] as const) if (seen.has(name)) reached[name] += 1
  }
  return { worse: reached.worse / STREAMS, notWorse: reached['not worse'] / STREAMS, missed: reached.missed / STREAMS }
}

it('equal versions, a look after every vote: no more than α are called worse', () => {
  const { worse, notWorse, missed } = verdicts(0)
  expect(worse).toBeLessThanOrEqual(OPTIONS.alpha)
  expect(missed).toBeLessThanOrEqual(OPTIONS.alpha)
  expect(notWorse).toBeGreaterThan(0.3)
})

it('versions that are worse by the margin, a look after every vote: no more than α pass', () => {
  const { notWorse, missed } = verdicts(-OPTIONS.margin)
  expect(notWorse).toBeLessThanOrEqual(OPTIONS.alpha)
  expect(missed).toBeLessThanOrEqual(OPTIONS.alpha)
})

it('versions that are worse by 15 points are found', () => {
  expect(verdicts(-0.15).worse).toBeGreaterThan(0.9)
})

it('the same looks at an interval for one look call many equal versions worse: the test can fail', () => {
  let wrong = 0
  for (let seed = 1; seed <= STREAMS; seed++)
    follow(voteStream({ ...USERS, seed, effect: 0 }), { rate: () => new ClusteredRate(), cap: 100 }, (canary, live) => {
      const difference = differenceOf(canary, live, { alpha: 0.05, scale: 0.05 })
      const isWorse = difference !== null && difference.value + 1.96 * Math.sqrt(canary.variance! + live.variance!) < 0
      if (isWorse) wrong += 1
      return isWorse
    })
  expect(wrong / STREAMS).toBeGreaterThan(2 * 0.025)
})
