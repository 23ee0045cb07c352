import fc from 'fast-check'
import { expect, test } from 'vitest'
import { countsSince, type Known, KnownBeginnings } from '../../src/learner/known-beginnings.js'

/** 24 bytes that tell the tokens. */
const known = (tokens: readonly number[]): Known => ({
  keys: Float32Array.of(tokens.length, tokens[0] ?? 0),
  values: Float32Array.of(0, 0),
  sum: Float32Array.of(0, 0),
})

/** @param room  for so many of them */
function cache(room: number) {
  const beginnings = new KnownBeginnings(room * 24)
  const computed: number[] = []
  const ask = (token: number) =>
    beginnings.get([token], () => {
      computed.push(token)
      return known([token])
    })
  return { beginnings, computed, ask }
}

test('computes a beginning once, and what it gives is the same', () => {
  const { beginnings, computed, ask } = cache(2)
  expect(ask(7)).toEqual(known([7]))
  expect(ask(7)).toEqual(known([7]))
  expect(computed).toEqual([7])
  expect(beginnings.counts).toEqual({ known: 1, computed: 1, bytes: 24 })
})

test('forgets what was not asked for the longest', () => {
  const { beginnings, computed, ask } = cache(2)
  for (const token of [1, 2, 1, 3, 1, 2]) ask(token)
  expect(computed).toEqual([1, 2, 3, 2])
  expect(beginnings.counts).toEqual({ known: 2, computed: 4, bytes: 48 })
})

test('keeps nothing that is larger than all of it', () => {
  const { beginnings, computed, ask } = cache(0)
  for (const token of [1, 1]) expect(ask(token)).toEqual(known([token]))
  expect(computed).toEqual([1, 1])
  expect(beginnings.counts.bytes).toBe(0)
})

test('never has more than it may, and always what was asked for last', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 6 })), fc.integer({ min: 1, max: 5 }), (tokens, room) => {
      const { beginnings, computed, ask } = cache(room)
      tokens.forEach((token, i) => {
        const before = computed.length
        const recent = new Set(tokens.slice(0, i).reverse())
        expect(ask(token)).toEqual(known([token]))
        expect(computed.length === before).toBe([...recent].slice(0, room).includes(token))
        expect(beginnings.counts.bytes).toBe(24 * Math.min(room, new Set(tokens.slice(0, i + 1)).size))
      })
    }),
  )
})

test('counts what came since', () => {
  const before = { known: 1, computed: 2, bytes: 5 }
  expect(countsSince(before, { known: 4, computed: 2, bytes: 9 })).toEqual({ known: 3, computed: 0, bytes: 9 })
  expect(countsSince(before, before)).toBeNull()
})
