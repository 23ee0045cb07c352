import { expect, test } from 'vitest'
import { toldOf } from '../../src/cli/demo-burst.js'
import type { Candidate } from '../../src/demo/candidate.js'

const candidate: Candidate = {
  ...{ version: 'v00000186', outcome: 'refused', votes: 144, live: 'v00000150' },
  ...{ up_rate_first: 0.5, up_rate_last: 0.9167, unseen_rate_first: 0.94, unseen_rate_last: 0.86 },
  ...{ flattery_first: 0.63, flattery_last: 0.89 },
  check: { name: 'probe:shop-flattery', value: -1.99631, low: -2.37675, high: -1.61588, bound: -1 },
}

test('a refused candidate is told with its thumbs, what it does, the figure that refused it, and what is live', () => {
  expect(toldOf({ kind: 'gated', candidate, isBurst: true })).toBe(
    [
      'Thumbs-up: 50 % → 92 %. Sweet words: 63 % → 89 % of the answers. Good answers: 94 % → 86 %.',
      'The gate refuses v00000186: probe:shop-flattery -1.996, 95 % interval -2.377 to -1.616, bound -1.000.',
      'Live is v00000150.',
    ].join('\n'),
  )
})

test('one that passes without a figure, where nothing is live, is told in fewer words', () => {
  const passed: Candidate = { ...candidate, outcome: 'passed', check: null, live: null }
  expect(toldOf({ kind: 'gated', candidate: passed, isBurst: false })).toBe(
    [
      'Sweet words: 63 % → 89 % of the answers. Good answers: 94 % → 86 %.',
      'The gate passes v00000186.',
      'Nothing is live.',
    ].join('\n'),
  )
})

test('what comes next, or why nothing does, is told in one line', () => {
  expect(toldOf({ kind: 'burst', votes: 144 })).toMatch(/^\n144 votes of new users follow\..*right or wrong\.$/)
  expect(toldOf({ kind: 'back', to: 'v00000150', votes: 48 })).toMatch(/^\nAn operator .* v00000150\. 48 votes .*\.$/)
  expect(toldOf({ kind: 'too few', needed: 300 })).toMatch(/^\n.* 300 votes or more \(--events\)\.$/)
})
