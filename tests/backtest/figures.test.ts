import { describe, expect, it } from 'vitest'
import { chartSvg, type Point, ticksUpTo } from '../../src/backtest/chart.js'
import { evidence } from '../../src/backtest/evidence.js'
import { explanations } from '../../src/backtest/influence.js'
import type { JudgedVote } from '../../src/backtest/judged-vote.js'
import { OnlineLogistic } from '../../src/backtest/online-logistic.js'
import { accuracy, gainOver, hanleyMcNeil, lengthMatched, separation } from '../../src/backtest/separation.js'
import { suggestions } from '../../src/backtest/suggestions.js'
import { topicsOf } from '../../src/backtest/topics.js'
import { judge, planned } from '../../src/backtest/verdict.js'
import type { Config } from '../../src/config/config.js'
import sklearn from './sklearn.json' with { type: 'json' }

interface Given {
  readonly label: boolean
  readonly score: number
  readonly user?: number
  readonly prompt?: number
  readonly length?: number
  readonly weight?: number
  readonly other?: number
}

const votesOf = (given: readonly Given[]): readonly JudgedVote[] =>
  given.map(({ label, score, user, prompt = 0, length = 10, weight = 1, other = 0 }, i) => ({
    ...{ line: i + 1, label, weight, prompt, length, user: user ?? null, cluster: user ?? -1 - i },
    scores: { model: score, majority: 0, length: other, prompt: 0 },
    right: { model: Number(score > 0 === label), majority: 0.5, length: 0.5, prompt: 0.5 },
  }))

const known = sklearn.x.map((x, i) => ({
  ...{ x, label: sklearn.label[i] as boolean, weight: sklearn.weight[i] as number },
}))
const sklearnVotes = votesOf(
  known.map(({ x, label, weight }, i) => ({
    ...{ label, weight, score: x, other: sklearn.other[i] as number, length: sklearn.length[i] as number },
  })),
)

/** A vote each way, each right with this chance, in an order of its own. */
const mixed = (count: number, right: (i: number) => boolean, more: (i: number) => Partial<Given> = () => ({})) =>
  Array.from({ length: count }, (_, i) => {
    const label = i % 2 === 0
    return { label, score: (right(i) === label ? 1 : -1) * (1 + (i % 7) / 10), ...more(i) }
  })

describe('the online regression', () => {
  it.each(Object.entries(sklearn.logits))("predicts vote %s as scikit-learn's, from those before it", (k, expected) => {
    const regression = new OnlineLogistic()
    const before = known.slice(0, Number(k))
    regression.learn(before.slice(0, 3))
    regression.learn(before.slice(3))
    expect(regression.logit(sklearn.x[Number(k)] as number)).toBeCloseTo(expected, 5)
  })

  it('says what the majority says until both labels are known', () => {
    const regression = new OnlineLogistic()
    expect(regression.logit(3)).toBe(0)
    regression.learn([1, 2, 3].map((x) => ({ x, label: true, weight: 1 })))
    expect(regression.logit(100)).toBe(Math.log(4))
  })
})

describe('the AUC', () => {
  it("is scikit-learn's, alone, less that of a baseline, and among answers of like length", () => {
    expect(separation(sklearnVotes, 'model')?.value).toBeCloseTo(sklearn.auc, 12)
    expect(gainOver(sklearnVotes, 'length')?.value).toBeCloseTo(sklearn.auc - sklearn.auc_other, 12)
    expect(lengthMatched(sklearnVotes)?.value).toBeCloseTo(sklearn.auc_length_matched, 12)
  })

  it('has no interval of a point when all is in order', () => {
    const { value, low, high } = separation(votesOf(mixed(12, () => true)), 'model')!
    expect([value, high]).toEqual([1, 1])
    expect(low).toBeLessThan(0.95)
  })

  it('gains on a predictor that says nothing what it has above ½, no more certain than it is itself', () => {
    const votes = votesOf(mixed(12, () => true))
    const { low } = separation(votes, 'model')!
    expect(gainOver(votes, 'majority')).toEqual({ value: 0.5, low: low! - 0.5, high: 0.5 })
  })

  it('is not there with votes of one label', () => {
    expect(separation(votesOf([{ label: true, score: 1 }]), 'model')).toBeNull()
  })

  it("has Mann and Whitney's variance at ½, (m + n + 1) / 12 m n", () => {
    expect(hanleyMcNeil(0.5, 51, 58)).toBeCloseTo(110 / (12 * 51 * 58), 15)
  })
})

it('the accuracy of votes that hang together is less certain than that of as many alone', () => {
  const right = (i: number) => i % 10 < 7
  const alone = accuracy(votesOf(mixed(200, right)), 'model')!
  const together = accuracy(votesOf(mixed(200, right, (i) => ({ user: i % 10 }))), 'model')!
  expect([alone.value, together.value]).toEqual([0.7, 0.7])
  // Wald's, with the t of 199 degrees of freedom, 1.972
  expect(alone.high! - 0.7).toBeCloseTo(1.972 * Math.sqrt((0.7 * 0.3) / 200), 2)
  expect(together.high! - together.low!).toBeGreaterThan(2 * (alone.high! - alone.low!))
})

describe('figures of groups', () => {
  const by = (count: number, users: number) =>
    evidence(
      votesOf(
        mixed(
          count,
          () => true,
          (i) => ({ user: i % users, prompt: i }),
        ),
      ),
      { of: [], typical: [] },
    )

  it('are those of ten votes at least', () => {
    expect(by(27, 3).by_user.map(({ votes, auc }) => [votes, auc])).toEqual([9, 9, 9].map((votes) => [votes, null]))
    const [user] = by(30, 3).by_user
    expect(user).toMatchObject({ line: 1, votes: 10, up_share: 0.5, auc: { value: 1 } })
    // the votes of one user are not one vote
    expect(user?.auc?.low).toBeLessThan(1)
  })

  it.each([
    [9, [9]],
    [30, [10, 20, 30]],
    [400, Array.from({ length: 20 }, (_, i) => 20 * (i + 1))],
  ])('of %d votes are told at the ends of blocks', (count, ends) => {
    expect(by(count, 3).over_time.map(({ at }) => at)).toEqual(ends)
  })
})

describe('suggestions', () => {
  const found = { explained_by: [], users: 3, up_share: 0.5 }
  const read = { events: 40, dropped_by_reason: {}, shortened: 0 }
  const config = { limits: { maxLength: 96 }, optimizer: { lr: 1e-4 } } as unknown as Config
  const keys = (votes: readonly JudgedVote[], more: object = {}) =>
    suggestions({ votes, found, read, probes: [], config, ...more }).map(({ key, value }) => `${key}=${value}`)

  it('are to cap a user and a prompt that have many of the votes, not those of a few votes in all', () => {
    const of = (count: number) =>
      votesOf(
        mixed(
          count,
          () => true,
          (i) => ({ user: i % 3, prompt: 7 }),
        ),
      )
    expect(keys(of(30))).toEqual(['limits.userShare=0.1', 'limits.promptRepeats=8', 'eval.holdOut=0.1'])
    expect(keys(of(6))).toEqual(['eval.holdOut=0.1'])
  })

  it('are longer events if many are cut, and smaller steps if a probe is refused', () => {
    const probes = [{ outcome: 'refused' }]
    expect(keys([], { probes, read: { ...read, shortened: 20 } })).toEqual([
      ...['optimizer.lr=0.00005', 'limits.maxLength=192', 'eval.holdOut=0.1'],
    ])
  })
})

describe('a chart', () => {
  it.each([
    [69, [0, 20, 40, 60]],
    [1200, [0, 500, 1000]],
    [48, [0, 10, 20, 30, 40]],
    [3, [0, 1, 2, 3]],
  ])('of %d votes has round numbers below it', (votes, ticks) => {
    expect(ticksUpTo(votes)).toEqual(ticks)
  })

  it('shades nothing where an interval is not known', () => {
    const point = (x: number, known = true) => ({ x, y: 0.5, low: known ? 0.4 : null, high: known ? 0.6 : null })
    const of = (...points: readonly Point[]) =>
      chartSvg({ title: 'AUC', votes: 50, joined: true, series: [{ name: 'the model', kind: 'model', points }] })
    const bands = (svg: string) => svg.match(/class="band"/g)?.length ?? 0
    expect(bands(of(point(10), point(20), point(30), point(40)))).toBe(1)
    expect(bands(of(point(10), point(20), point(25, false), point(30), point(40)))).toBe(2)
    expect(bands(of(point(10), point(20, false), point(30)))).toBe(0)
  })
})

describe('what explains a gain', () => {
  const better = (i: number) => i % 10 !== 0

  it('is nothing where all users, prompts and lengths are alike', () => {
    const votes = votesOf(mixed(400, better, (i) => ({ user: i % 40, prompt: i % 30, length: 5 + (i % 3) })))
    expect(explanations(votes).explainedBy).toEqual([])
  })

  it('is one user, if nobody else votes as the model says', () => {
    const one = mixed(200, better, () => ({ user: 99 }))
    const others = mixed(
      200,
      (i) => i % 4 < 2,
      (i) => ({ user: i % 40 }),
    )
    const everybody = explanations(votesOf(mixed(400, better, (i) => ({ user: i % 40 }))))
    expect(everybody.explainedBy).not.toContain('one user')
    expect(explanations(votesOf([...one, ...others])).user).toMatchObject({ line: 1, votes: 200, better: false })
  })

  it('is the length, if like lengths are sorted by chance', () => {
    const votes = votesOf(
      mixed(400, better, (i) => {
        const label = i % 2 === 0
        const long = (i % 10 === 0) !== label
        return { length: long ? 40 : 5, score: long ? 1 : -1, other: long ? 1 : -1 }
      }),
    )
    expect(separation(votes, 'model')!.low).toBeGreaterThan(0.8)
    expect(lengthMatched(votes)?.value).toBe(0.5)
    expect(explanations(votes).explainedBy).toContain('length')
  })
})

describe('the verdict', () => {
  const gain = (value: number, half: number) => ({ value, low: value - half, high: value + half })
  const gains = (value: number, half: number) => ({
    ...{ majority: gain(0.2, 0.01), length: gain(value, half), prompt: gain(0.3, 0.01) },
  })
  const votes = { votes: 100, upShare: 0.5, clusters: [50, 50] as const }

  it('is worth it if every gain is certain', () => {
    expect(judge({ ...votes, gains: gains(0.1, 0.09) })).toMatchObject({ verdict: 'worth it', against: 'length' })
  })

  it('is no if a useful gain is excluded', () => {
    expect(judge({ ...votes, gains: gains(-0.1, 0.14) })).toMatchObject({ verdict: 'no', missing: null })
  })

  it.each([
    // twice the half width that is needed: four times the votes
    [0.1, 0.2, 300],
    // a gain of 0.01 lacks 0.04 of a useful one
    [0.01, 0.08, 300],
    [-0.05, 0.2, 300],
  ])('with a gain of %d ± %d asks for %d more votes', (value, half, missing) => {
    expect(judge({ ...votes, gains: gains(value, half) })).toMatchObject({ verdict: 'not yet', missing })
  })

  it('waits for twenty users of each label, however certain it looks', () => {
    expect(judge({ ...votes, clusters: [10, 40], gains: gains(0.4, 0.1) })).toMatchObject({
      ...{ verdict: 'not yet', missing: 100 },
    })
  })

  // (1.96 / 0.05)² / (12 · ¼)
  it('without figures plans by the variance of Mann and Whitney', () => {
    expect(planned(0.5)).toBe(513)
    const none = { majority: null, length: null, prompt: null }
    expect(judge({ ...votes, clusters: [1, 0], gains: none })).toEqual({
      ...{ verdict: 'not yet', against: null, missing: planned(0.5) - 100 },
    })
  })
})

it('topics are groups of directions; the same points give the same ones', () => {
  const points = [
    [1, 0],
    [0, 2],
    [3, 0.1],
    [0.1, 1],
    [2, -0.1],
  ].map((point) => Float64Array.from(point))
  const { of, typical } = topicsOf([...points, null], 2)
  expect(of).toEqual([0, 1, 0, 1, 0, -1])
  expect(typical).toEqual([0, 1])
  expect(topicsOf([points[0]!, points[0]!], 8).of).toEqual([0, 0])
})
