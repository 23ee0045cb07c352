import { expect, test } from 'vitest'
import {
  adapterBytes,
  frozenParameters,
  lastThatPays,
  SHAPES,
  speedUp,
  stepSeconds,
} from '../../bench/places/model.mjs'

// PEFT's print_trainable_parameters() for rank 16 on every linear layer
test.each([
  ['1b', 11_272_192],
  ['8b', 41_943_040],
  ['70b', 207_093_760],
] as const)("the adapter of the %s shape has PEFT's number of parameters", (name, parameters) => {
  expect(adapterBytes(SHAPES[name], 16)).toBe(4 * parameters)
})

// Llama-3-8B: 8,030,261,248 parameters, of them 2 × 128,256 × 4,096 in embedding and head, and 65 norms
test('frozen parameters are those of the linear layers', () => {
  expect(frozenParameters(SHAPES['8b'])).toBe(8_030_261_248 - 2 * 128_256 * 4096 - 65 * 4096)
})

const parts = { block: 2, bytes: 100, link: 1000, call: 0.01 }

test('one place sends nothing', () => {
  expect(stepSeconds(1, 3, parts)).toBe(6)
})

test('places beyond the first send a gradient for each of their blocks, and get the adapter once', () => {
  // 2 rounds of 3 places; blocks 1, 2 and 4 are computed away from the first: 3 gradients, then 2 adapters
  expect(stepSeconds(3, 5, parts)).toBeCloseTo(2 * 2.01 + 3 * 0.11 + 0.01 + 2 * 0.1, 12)
})

test('without a cost of the link, places are as many times as fast', () => {
  expect(speedUp(8, { ...parts, link: Infinity, call: 0 })).toBe(8)
})

test('the link bounds what places give', () => {
  // a place more costs a gradient and an adapter on the link: 0.21 s for 2 s of work
  expect(speedUp(10_000, parts)).toBeLessThan(2 / 0.21)
  const last = lastThatPays(parts)
  expect(speedUp(last, parts) - speedUp(last - 1, parts)).toBeGreaterThanOrEqual(0.5)
  expect(speedUp(last + 1, parts) - speedUp(last, parts)).toBeLessThan(0.5)
})
