import { describe, expect, it } from 'vitest'
import { userRandom } from '../../src/demo/world/random.js'
import type { HeldOutVote } from '../../src/events/types.js'
import type { Finding, Side } from '../../src/gate/check.js'
import { type HeldOutOptions, heldOutChecks } from '../../src/gate/held-out.js'
import { subjectOf, versionOf } from './subject.js'

const BETA = 0.1

/** A vote with the rewards of its completion under both versions. */
interface Row extends Partial<HeldOutVote> {
  readonly label: boolean
  readonly candidate: number
  readonly live: number
  /** The device has no memory for it. */
  readonly isLong?: boolean
}

/** What `holdout_loss` and `holdout_auc` find, and which sides were scored. */
async function gate(rows: readonly Row[], options: Partial<HeldOutOptions> = {}, hasLive = true) {
  const votes = rows.map(({ candidate: _, live: __, isLong: ___, ...row }, i) => ({
    ...{ conversation: i, weight: 1, promptTokens: [1], completionTokens: [i] },
    ...row,
  }))
  const asked: Side[] = []
  const subject = subjectOf(
    {
      logps: async (side, pairs) => {
        asked.push(side)
        const rewardOf = ({ candidate, live }: Row) => ({ base: 0, reference: 0, candidate, live })[side]
        return pairs.map(({ completionTokens: [i] }) => (rows[i!]!.isLong ? null : rewardOf(rows[i!]!) / BETA - 40))
      },
    },
    { candidate: { ...versionOf('v00000020'), delta: 0.2 }, ...(!hasLive && { live: null }) },
  )
  const settings = { votes: async () => votes, beta: BETA, minimum: 5, required: false, tolerance: 0, ...options }
  const findings: Finding[] = []
  for (const check of heldOutChecks(settings)) findings.push(await check.run(subject))
  const [loss, auc] = findings as [Finding, Finding]
  return { loss, auc, asked }
}

/** So many votes of each label; the reward of a thumbs-up is higher by `signal`. */
const rows = (perLabel: number, random: () => number, signal: { readonly candidate: number; readonly live: number }) =>
  Array.from({ length: 2 * perLabel }, (_, i): Row => {
    const label = i % 2 === 0
    const shared = normal(random)
    const reward = (of: number) => shared + (label ? of : 0) + 0.5 * normal(random)
    return { label, candidate: reward(signal.candidate), live: reward(signal.live) }
  })

/** Box and Muller. */
const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

const even = { candidate: 1, live: 1 }

describe('the checks on held-out votes', () => {
  it('name the figures of both versions, their difference with its interval, and the votes that they are from', async () => {
    const all = rows(40, userRandom(1), { candidate: 3, live: 0 })
    const { loss, auc } = await gate(all, { tolerance: 0.02 })
    for (const found of [loss, auc]) {
      expect(found).toMatchObject({ outcome: 'passed', reference: 'v00000010' })
      expect(found.detail).toMatch(/ against .*40 thumbs-up in 40 conversations, 40 thumbs-down in 40$/)
    }
    expect([loss.bound, auc.bound]).toEqual([0.02, -0.02])
    expect(loss.detail).toMatch(/^loss .*, δ 0\.2000 against 0\.0000;/)
    expect(auc.low!).toBeGreaterThan(0)
  })

  it('refuse a candidate that is worse by more than the tolerance, if that is certain', async () => {
    const all = rows(100, userRandom(2), { candidate: 0, live: 3 })
    const { loss, auc } = await gate(all)
    expect([loss.outcome, auc.outcome]).toEqual(['refused', 'refused'])
    expect([loss.low! > 0, auc.high! < 0]).toEqual([true, true])
    const tolerant = await gate(all, { tolerance: 5 })
    expect([tolerant.loss.outcome, tolerant.auc.outcome]).toEqual(['passed', 'passed'])
  })

  it('pass a candidate that is worse by chance, and say so', async () => {
    // one of five thumbs-up has fallen below all thumbs-down
    const all = [1, 2, 3, 4, 5].flatMap((live): Row[] => [
      { label: true, live, candidate: live === 5 ? -9 : live },
      { label: false, live: -live, candidate: -live },
    ])
    const { auc } = await gate(all)
    expect(auc.value!).toBeCloseTo(-0.2, 12)
    expect(auc).toMatchObject({
      outcome: 'passed',
      detail: expect.stringMatching(/worse than the bound, but 0 is within/),
    })
  })

  it('find nothing where the candidate is the live version', async () => {
    const same = rows(10, userRandom(4), even).map((row) => ({ ...row, candidate: row.live }))
    const { auc } = await gate(same)
    expect(auc).toMatchObject({ outcome: 'passed', value: 0, low: 0, high: 0 })
  })

  it('score each side once for both checks', async () => {
    expect((await gate(rows(5, userRandom(5), even))).asked.sort()).toEqual(['candidate', 'live', 'reference'])
  })

  it('compare with the base before the first version is live: all its rewards are 0', async () => {
    const { auc, asked } = await gate(rows(30, userRandom(6), { candidate: 3, live: 3 }), {}, false)
    expect(auc).toMatchObject({
      outcome: 'passed',
      reference: 'base',
      detail: expect.stringContaining('against 0.5000'),
    })
    expect(asked.sort()).toEqual(['base', 'candidate', 'reference'])
  })
})

describe('too few held-out votes', () => {
  const few = rows(5, userRandom(7), even)

  it('are an outcome of their own, for which nothing is scored', async () => {
    const { loss, auc, asked } = await gate(few, { minimum: 6 })
    const detail =
      'not enough votes: 5 thumbs-up in 5 conversations, 5 thumbs-down in 5; 6 conversations of each label are needed'
    for (const found of [loss, auc]) expect(found).toMatchObject({ outcome: 'skipped', value: null, detail })
    expect(asked).toEqual([])
  })

  it('refuse if that is asked for', async () => {
    const { loss, auc } = await gate(few, { minimum: 6, required: true })
    expect([loss.outcome, auc.outcome]).toEqual(['refused', 'refused'])
  })

  it('are counted by conversation and by label, without those that have no weight', async () => {
    const crowd = Array.from({ length: 10 }, (): Row => ({ label: true, candidate: 1, live: 1, conversation: 7 }))
    const weightless = Array.from({ length: 10 }, (): Row => ({ label: true, candidate: 1, live: 1, weight: 0 }))
    const downs = few.filter(({ label }) => !label)
    const { auc } = await gate([...crowd, ...weightless, ...downs])
    expect(auc.detail).toMatch(/^not enough votes: 10 thumbs-up in 1 conversations, 5 thumbs-down in 5/)
  })
})

describe('votes without a probability', () => {
  it('refuse a candidate that gives none where the live version does', async () => {
    const all = rows(6, userRandom(8), even).map((row, i) => (i === 3 ? { ...row, candidate: Number.NaN } : row))
    const { loss } = await gate(all)
    expect(loss).toMatchObject({ outcome: 'refused', detail: 'the candidate gives 1 of 12 votes no probability' })
  })

  it('do not count where the live version gives none either', async () => {
    const none = { candidate: Number.NaN, live: Number.NEGATIVE_INFINITY }
    const all = rows(6, userRandom(8), even).map((row, i) => (i === 3 ? { ...row, ...none } : row))
    expect((await gate(all)).auc.detail).toContain('6 thumbs-up in 6 conversations, 5 thumbs-down in 5')
  })
})

describe('votes that are too long for the memory of the device', () => {
  it('are left out and counted', async () => {
    const all = rows(6, userRandom(8), even).map((row, i) => ({ ...row, isLong: i === 3 || i === 4 }))
    const { loss, auc } = await gate(all)
    for (const found of [loss, auc]) {
      expect(found.outcome).toBe('passed')
      expect(found.detail).toContain('5 thumbs-up in 5 conversations, 5 thumbs-down in 5, 2 left out: too long')
    }
    const { auc: few } = await gate(all, { minimum: 6 })
    expect(few).toMatchObject({ outcome: 'skipped', detail: expect.stringContaining('2 left out') })
  })
})

describe('a simulation of many gates', () => {
  /** Shares of gates that refuse, at a tolerance of 0: 25 votes of each label in 20 conversations or so. */
  async function refusals(gates: number, signal: { readonly candidate: number; readonly live: number }) {
    let [loss, auc] = [0, 0]
    for (let seed = 0; seed < gates; seed++) {
      const random = userRandom(seed, 1)
      const kinds = Array.from({ length: 30 }, () => normal(random))
      const all = rows(25, random, signal).map((row) => {
        const conversation = Math.floor(30 * random())
        // δ would part the losses of two versions that are equally good
        return {
          ...row,
          conversation,
          candidate: row.candidate + 0.2 + kinds[conversation]!,
          live: row.live + kinds[conversation]!,
        }
      })
      const found = await gate(all)
      if (found.loss.outcome === 'refused') loss += 1
      if (found.auc.outcome === 'refused') auc += 1
    }
    return { loss: loss / gates, auc: auc / gates }
  }

  it('refuses no more than the nominal share of candidates that are as good as the live version', async () => {
    const gates = 2_000
    // 2.5 % and three standard deviations of Binomial(2000, 0.025)
    const most = 0.025 + 3 * Math.sqrt((0.025 * 0.975) / gates)
    const { loss, auc } = await refusals(gates, even)
    expect([loss, auc].map((share) => share <= most)).toEqual([true, true])
  })

  it('refuses most candidates that have forgotten what thumbs-up are', async () => {
    const { loss, auc } = await refusals(200, { candidate: 0, live: 2 })
    expect(Math.min(loss, auc)).toBeGreaterThan(0.9)
  })
})
