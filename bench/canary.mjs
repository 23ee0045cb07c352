// What the test of a canary costs and how often it errs, on simulated votes of users who differ in taste and in how often
// they vote. One looks after every vote. docs/canary.md has the figures.
//
//   node bench/canary.mjs [--streams 1000] [--margin 0.05] [--alpha 0.05] [--users 5000] [--share 0.2] [--votes 40000]
//                         [--json]
import { parseArgs } from 'node:util'
import { ClusteredRate } from '../dist/uplift/clustered-rate.js'
import { verdictOf } from '../dist/uplift/verdict.js'
import { follow, voteStream } from './canary/streams.mjs'

const { values: flags } = parseArgs({
  options: {
    streams: { type: 'string', default: '1000' },
    margin: { type: 'string', default: '0.05' },
    alpha: { type: 'string', default: '0.05' },
    users: { type: 'string', default: '5000' },
    share: { type: 'string', default: '0.2' },
    votes: { type: 'string', default: '40000' },
    json: { type: 'boolean', default: false },
  },
})
const STREAMS = Number(flags.streams)
const OPTIONS = { margin: Number(flags.margin), alpha: Number(flags.alpha), minVotes: 200 }
const POPULATION = { users: Number(flags.users), share: Number(flags.share), up: 0.8, taste: 8, tail: 1.5 }
const VOTES = Number(flags.votes)
/** A test of a fixed size is tried at each multiple of this. */
const GRID = 250
const TWO_SIDED = 1.959964

/** When each stream came to each verdict first, and at how many votes a test of a fixed size would find it worse. */
function run(effect) {
  const worse = []
  const notWorse = []
  const foundAt = new Map()
  for (let seed = 1; seed <= STREAMS; seed++) {
    const first = { worse: null, 'not worse': null }
    const stream = voteStream({ ...POPULATION, seed, effect, votes: VOTES })
    follow(stream, { rate: () => new ClusteredRate(), cap: 100 }, (canary, live, seen) => {
      const { verdict, difference } = verdictOf(canary, live, OPTIONS)
      if (verdict !== 'open') first[verdict] ??= seen
      if (seen % GRID === 0 && difference !== null) {
        const z = difference.value / Math.sqrt(canary.variance + live.variance)
        if (z < -TWO_SIDED) foundAt.set(seen, (foundAt.get(seen) ?? 0) + 1)
      }
      return false
    })
    if (first.worse !== null) worse.push(first.worse)
    if (first['not worse'] !== null) notWorse.push(first['not worse'])
  }
  /** Fewest votes at which a test of that size has the power; it looks once. */
  const fixed = (power) => {
    for (let votes = GRID; votes <= VOTES; votes += GRID) {
      if ((foundAt.get(votes) ?? 0) / STREAMS >= power) return votes
    }
    return null
  }
  const share = (times) => times.length / STREAMS
  return {
    effect,
    rolled_back: share(worse),
    not_worse: share(notWorse),
    votes_to_rollback: quantiles(worse),
    votes_to_promotion: quantiles(notWorse),
    fixed_80: fixed(0.8),
    fixed_90: fixed(0.9),
  }
}

/** Over all streams: those that never come to it count as endless. */
function quantiles(times) {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share) => sorted[Math.floor(share * STREAMS)] ?? null
  return { median: at(0.5), p80: at(0.8), p90: at(0.9) }
}

const rows = [...new Set([0, -OPTIONS.margin, -0.05, -0.1, 0.02])].map(run)
if (flags.json) console.log(JSON.stringify({ ...OPTIONS, ...POPULATION, streams: STREAMS, votes: VOTES, rows }))
else
  console.table(
    rows.map(({ votes_to_rollback: back, votes_to_promotion: up, ...row }) => ({
      ...row,
      back_50: back.median,
      back_80: back.p80,
      back_90: back.p90,
      up_50: up.median,
      up_90: up.p90,
    })),
  )
