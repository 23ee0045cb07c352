import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ClusteredRate } from '../../src/uplift/clustered-rate.js'
import { halfWidth } from '../../src/uplift/difference.js'

/** Worked by numpy and scipy: `make.py` beside it. */
const golden = JSON.parse(readFileSync('tests/golden/canary/vectors.json', 'utf8')) as {
  readonly rates: readonly {
    readonly votes: readonly number[]
    readonly ups: readonly number[]
    readonly rate: number
    readonly variance: number
    readonly jackknife: number
  }[]
  readonly half_widths: readonly {
    readonly variance: number
    readonly alpha: number
    readonly scale: number
    readonly half_width: number
  }[]
}

const NOTHING = { votes: 0, ups: 0 }

it.each(golden.rates)('rate and variance of $votes.length users, at least the jackknife', (given) => {
  const rate = new ClusteredRate()
  given.votes.forEach((votes, i) => {
    rate.change(NOTHING, { votes, ups: given.ups[i]! })
  })
  expect(rate.users).toBe(given.votes.length)
  expect(rate.rate).toBeCloseTo(given.rate, 14)
  expect(rate.variance! / given.variance).toBeCloseTo(1, 12)
  expect(rate.variance).toBeGreaterThan(given.jackknife * (1 - 1e-12))
})

it.each(golden.half_widths)('half width at variance $variance, α $alpha and scale $scale', (given) => {
  expect(halfWidth(given.variance, given) / given.half_width).toBeCloseTo(1, 9)
})

it('the order in which users say more, less or something else does not matter', () => {
  const direct = new ClusteredRate()
  const wavering = new ClusteredRate()
  for (let user = 0; user < 50; user++) {
    const said = { votes: 1 + (user % 7), ups: user % 2 }
    direct.change(NOTHING, said)
    const before = { votes: 20, ups: 3 + (user % 5) }
    wavering.change(NOTHING, before)
    wavering.change(before, NOTHING)
    wavering.change(NOTHING, { votes: 1, ups: 0 })
    wavering.change({ votes: 1, ups: 0 }, said)
  }
  expect([wavering.users, wavering.votes, wavering.ups]).toEqual([50, direct.votes, direct.ups])
  expect(wavering.variance).toBeCloseTo(direct.variance!, 14)
})
