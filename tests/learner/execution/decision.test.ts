import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Execution } from '../../../src/learner/execution/candidates.js'
import { compareTrials, fastest, LEAST_GAIN, type Trial } from '../../../src/learner/execution/decision.js'

const ways: readonly Execution[] = (['graph', 'xla', 'graph', 'graph'] as const).map((executor, i) => ({
  ...{ executor, kernels: 'onednn', threads: 4, interOpThreads: 1 + i },
}))
/** Of each candidate but the rule's, its times; the rule's in the same rounds are those of `rule`. */
const trials = (rule: readonly number[] | null, ...others: (readonly number[] | null)[]): readonly Trial[] => [
  { execution: ways[0]!, rounds: rule && [] },
  ...others.map((each, i) => ({
    execution: ways[i + 1]!,
    rounds: each?.map((ms, round) => ({ ms, ruleMs: rule?.[round] ?? 1 })) ?? null,
  })),
]

describe('the decision', () => {
  it('is for what is clearly faster, and of several for the fastest', () => {
    expect(fastest(trials([100, 100, 100], [90, 91, 92], [80, 85, 83]))).toBe(ways[2])
  })

  it('is for the rule where another gains less than noise may', () => {
    expect(fastest(trials([100, 100, 100], [95, 95, 95]))).toBe(ways[0])
  })

  it('is for the rule where another is faster in most rounds only', () => {
    expect(fastest(trials([100, 100, 100, 100], [60, 60, 60, 101]))).toBe(ways[0])
  })

  it('compares within a round: what slows a whole round down decides nothing', () => {
    expect(fastest(trials([100, 300, 100], [99, 297, 99]))).toBe(ways[0])
    expect(fastest(trials([100, 300, 100], [80, 240, 80]))).toBe(ways[1])
    expect(compareTrials(trials([100, 300, 100], [80, 240, 90])).map(({ ratio }) => ratio)).toEqual([1, 0.8])
  })

  it('leaves out what could not be run, and knows nothing if that is the rule’s', () => {
    expect(fastest(trials([100], null, [50]))).toBe(ways[2])
    expect(fastest(trials(null, [50]))).toBeNull()
    expect(compareTrials(trials([100], null)).at(-1)).toMatchObject({ ratio: null })
  })

  it('never takes another with a round that is slower, or a median that gains too little', () => {
    const rounds = fc.array(fc.double({ min: 1, max: 1000, noNaN: true }), { minLength: 3, maxLength: 3 })
    fc.assert(
      fc.property(fc.array(rounds, { minLength: 2, maxLength: 4 }), (all) => {
        const [rule, ...others] = all
        const chosen = ways.indexOf(fastest(trials(rule!, ...others))!)
        if (chosen === 0) return
        const ratios = all[chosen]!.map((ms, round) => ms / all[0]![round]!).sort((a, b) => a - b)
        expect(ratios[2]).toBeLessThan(1)
        expect(ratios[1]).toBeLessThanOrEqual(1 - LEAST_GAIN)
      }),
    )
  })
})
