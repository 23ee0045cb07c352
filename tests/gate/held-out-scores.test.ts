import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { aucOf } from '../../src/gate/auc.js'
import { type Comparison, compareAuc, compareLoss, type ScoredVote } from '../../src/gate/held-out-scores.js'

interface Case {
  readonly label: readonly boolean[]
  readonly weight: readonly number[]
  readonly cluster: readonly number[]
  readonly candidate: readonly number[]
  readonly live: readonly number[]
  readonly deltas: { readonly candidate: number; readonly live: number }
  readonly expected: { readonly auc: Comparison; readonly loss: Comparison }
}

const cases: Readonly<Record<string, Case>> = JSON.parse(readFileSync('tests/golden/hold_out/cases.json', 'utf8'))

const votesOf = ({ label, weight, cluster, candidate, live }: Case): ScoredVote[] =>
  label.map((up, i) => ({
    ...{ label: up, weight: weight[i]!, conversation: cluster[i]! },
    ...{ candidate: candidate[i]!, live: live[i]! },
  }))

function expectComparison(actual: Comparison, expected: Comparison) {
  for (const side of ['candidate', 'live'] as const) expect(actual[side]).toBeCloseTo(expected[side], 12)
  for (const end of ['value', 'low', 'high'] as const)
    expect(actual.difference[end]).toBeCloseTo(expected.difference[end], 9)
}

describe.each(Object.entries(cases))('as scikit-learn, statsmodels and scipy have it: %s', (_, each) => {
  it('AUC of the reward, and DeLong’s interval of the difference', () => {
    expectComparison(compareAuc(votesOf(each)), each.expected.auc)
  })

  it('balanced BCO loss, and the interval of the difference', () => {
    expectComparison(compareLoss(votesOf(each), each.deltas), each.expected.loss)
  })
})

it('the loss of rewards that say nothing is 2 log 2, and rewards of any size have a finite one', () => {
  const vote = { weight: 1, live: 0 }
  const votes = [true, true, false, false].map((label, i) => ({ ...vote, label, conversation: i, candidate: 0 }))
  expect(compareLoss(votes, { candidate: 0, live: 0 }).live).toBeCloseTo(2 * Math.LN2, 15)
  const wild = votes.map((each) => ({ ...each, candidate: each.label ? -1e4 : 1e4 }))
  expect(compareLoss(wild, { candidate: 0, live: 0 }).candidate).toBe(2e4)
})

it('equal scores count half, and an AUC turns around with the scores', () => {
  const scored = (...scores: number[]) => scores.map((score) => ({ score, weight: 1 }))
  expect(aucOf(scored(1, 1), scored(1, 1, 1))).toEqual({ auc: 0.5, ups: [0.5, 0.5], downs: [0.5, 0.5, 0.5] })
  expect(aucOf(scored(3, 1), scored(2)).auc).toBe(0.5)
  expect(aucOf(scored(-3, -4), scored(2)).auc).toBe(0)
})
