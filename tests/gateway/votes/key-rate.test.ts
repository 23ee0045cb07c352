import { expect, it } from 'vitest'
import { KeyRate } from '../../../src/gateway/votes/key-rate.js'

it('lets the votes of a minute pass at once, and then as many as the time allows', () => {
  const rate = new KeyRate(6000)
  expect(rate.take('shop', 6000, 0)).toBe(0)
  // 100 a second
  expect(rate.take('shop', 1, 0)).toBe(1)
  expect(rate.take('shop', 250, 0)).toBe(3)
  expect(rate.take('shop', 100, 1_000)).toBe(0)
  expect(rate.take('shop', 1, 1_009)).toBe(1)
  expect(rate.take('shop', 1, 1_010)).toBe(0)
})

it('what is refused costs nothing, and a bucket holds a minute however long nobody votes', () => {
  const rate = new KeyRate(60)
  for (const now of [0, 0, 0]) expect(rate.take('shop', 61, now)).toBe(1)
  expect(rate.take('shop', 60, 0)).toBe(0)
  expect(rate.take('shop', 60, 3_600_000)).toBe(0)
  expect(rate.take('shop', 60, 3_600_000)).toBe(60)
})

it('keys do not share', () => {
  const rate = new KeyRate(10)
  expect(rate.take('shop', 10, 0)).toBe(0)
  expect(rate.take('help desk', 10, 0)).toBe(0)
})
