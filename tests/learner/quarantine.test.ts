import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Attempt,
  assertFinite,
  culpritsOf,
  NonFinite,
  recomputeBad,
  withoutCulprits,
} from '../../src/learner/quarantine.js'

const items = fc.uniqueArray(fc.nat(1000), { maxLength: 30 })
/** Bad are the multiples of a number. */
const badOnes = fc.integer({ min: 1, max: 9 }).map((divisor) => (item: number) => item % divisor === 0)

test('bisection finds exactly the items that fail alone', () => {
  fc.assert(
    fc.property(items, badOnes, (all, isBad) => {
      const culprits = culpritsOf(all, (group) => group.some(isBad))
      expect(culprits).toEqual(all.filter(isBad))
    }),
  )
})

test('one culprit of 64 is found in two groups for each halving', () => {
  let groups = 0
  const all = Array.from({ length: 64 }, (_, i) => i)
  const culprits = culpritsOf(all, (group) => {
    groups += 1
    return group.includes(37)
  })
  expect(culprits).toEqual([37])
  expect(groups).toBe(1 + 2 * Math.log2(64))
})

test('a group that fails while both halves succeed has no culprit', () => {
  expect(culpritsOf([1, 2, 3, 4], (group) => group.length > 2)).toEqual([])
})

test('values that are NaN or infinite make suspects of their events', () => {
  assertFinite('reward', [1, -2], ['a', 'b'])
  const values = [Number.NaN, 1, Number.NEGATIVE_INFINITY]
  expect(() => assertFinite('reference', values, ['a', 'b', 'c'])).toThrow(
    expect.objectContaining({ where: 'reference', suspects: ['a', 'c'] }),
  )
})

describe('a step', () => {
  /** A step over letters that is not finite where it holds a capital. */
  const attempt = (where: NonFinite<string>['where'], broken = false): Attempt<string, string> => ({
    run: (events) => {
      const suspects = events.filter(isCapital)
      if (suspects.length > 0) throw new NonFinite(where, where === 'gradient' ? events : suspects)
      return events.join('')
    },
    fails: (group) => group.some(isCapital),
    assertReference: () => {
      if (broken) throw new Error('the reference is broken')
    },
    place: 'step 7',
  })
  const isCapital = (letter: string) => letter !== letter.toLowerCase()

  test.each(['reference', 'reward', 'gradient'] as const)('leaves out what is not finite in its %s', (where) => {
    expect(withoutCulprits([...'aBcDe'], attempt(where))).toEqual({
      result: 'ace',
      trained: ['a', 'c', 'e'],
      culprits: ['B', 'D'],
    })
  })

  test('of culprits alone is not applied, if the reference is finite for other texts', () => {
    expect(withoutCulprits([...'AB'], attempt('reference'))).toEqual({
      result: null,
      trained: [],
      culprits: ['A', 'B'],
    })
  })

  test('of one event whose gradient is not finite is not applied', () => {
    expect(withoutCulprits(['A'], attempt('gradient'))).toEqual({ result: null, trained: [], culprits: ['A'] })
  })

  test('ends with an error if the reference is finite for no text', () => {
    expect(() => withoutCulprits([...'AB'], attempt('reference', true))).toThrow('the reference is broken')
  })

  test('ends with an error if every event fails under a finite reference: the adapter has diverged', () => {
    expect(() => withoutCulprits([...'AB'], attempt('reward'))).toThrow(
      expect.objectContaining({ code: 'STEP_NONFINITE', place: 'step 7', message: expect.stringMatching(/diverged/) }),
    )
  })

  test('ends with an error if no event fails alone', () => {
    const together = { ...attempt('gradient'), fails: (group: readonly string[]) => group.length > 1 }
    expect(() => withoutCulprits([...'aB'], together)).toThrow(expect.objectContaining({ code: 'STEP_NONFINITE' }))
  })

  test('passes other errors on', () => {
    const run = () => {
      throw new Error('disk full')
    }
    expect(() => withoutCulprits(['a'], { ...attempt('reward'), run })).toThrow('disk full')
  })
})

test('what is bad only in company is good in the end, and what is bad alone stays bad', () => {
  fc.assert(
    fc.property(items, badOnes, (all, isBad) => {
      // one bad item spoils its whole group
      const compute = (group: readonly number[]) => group.map((item) => (group.some(isBad) ? Number.NaN : 2 * item))
      const results = recomputeBad(all, compute(all), compute, Number.isFinite)
      expect(results).toEqual(all.map((item) => (isBad(item) ? Number.NaN : 2 * item)))
    }),
  )
})
