import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ClassRate } from '../../src/loss/class-rate.js'

const shares = (rate: ClassRate) => [rate.share(true), rate.share(false)]

test('is one half until both classes have been seen', () => {
  const rate = new ClassRate(100)
  expect(shares(rate)).toEqual([0.5, 0.5])
  rate.update([true, true, true])
  expect(shares(rate)).toEqual([0.5, 0.5])
  rate.update([false])
  expect(rate.share(true)).toBeGreaterThan(0.5)
})

test('halves the past after a half-life of events', () => {
  const rate = new ClassRate(4)
  rate.update([true, true, true, true])
  rate.update([false, false, false, false])
  expect(rate.share(true)).toBeCloseTo(1 / 3, 14)
  expect(rate.share(false)).toBeCloseTo(2 / 3, 14)
})

test('never falls below 0.02', () => {
  const rate = new ClassRate(1_000)
  rate.update([false, ...Array<boolean>(999).fill(true)])
  expect(rate.share(false)).toBe(0.02)
  expect(rate.share(true)).toBeCloseTo(0.999, 12)
})

test('goes on the same after it was saved and restored', () => {
  const steps = fc.array(fc.array(fc.boolean(), { maxLength: 8 }), { maxLength: 20 })
  fc.assert(
    fc.property(steps, steps, (before, after) => {
      const original = new ClassRate(9)
      const restored = new ClassRate(9)
      for (const labels of before) original.update(labels)
      restored.restore(JSON.parse(JSON.stringify(original.snapshot())))
      for (const labels of after) for (const rate of [original, restored]) rate.update(labels)
      expect(shares(restored)).toEqual(shares(original))
    }),
  )
})
