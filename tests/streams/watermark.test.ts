import { expect, test } from 'vitest'
import { Watermark } from '../../src/streams/watermark.js'

test('is the lowest timestamp over the assigned partitions', () => {
  const watermark = new Watermark()
  watermark.assign([0, 1])
  watermark.observe(0, 50)
  expect(watermark.at(1_000)).toBe(Number.NEGATIVE_INFINITY)
  watermark.observe(1, 20)
  expect(watermark.at(1_000)).toBe(20)
  watermark.observe(1, 70)
  expect(watermark.at(1_000)).toBe(50)
})

test('the wall clock moves it only for a partition read to its end', () => {
  const watermark = new Watermark()
  watermark.assign([0, 1])
  watermark.observe(0, 50)
  watermark.fetched(1, true)
  expect(watermark.at(1_000)).toBe(50)
  watermark.fetched(0, true)
  expect(watermark.at(1_000)).toBe(1_000)
  watermark.fetched(0, false)
  expect(watermark.at(2_000)).toBe(50)
})

test('while fetching is paused no partition counts as read to its end', () => {
  const watermark = new Watermark()
  watermark.assign([0])
  watermark.observe(0, 50)
  watermark.fetched(0, true)
  watermark.paused()
  expect(watermark.at(1_000)).toBe(50)
})

test('a broker clock that steps back does not move it back', () => {
  const watermark = new Watermark()
  watermark.assign([0])
  watermark.observe(0, 50)
  watermark.observe(0, 10)
  expect(watermark.at(1_000)).toBe(50)
})

test('stands still without partitions, and forgets one that is taken away', () => {
  const watermark = new Watermark()
  expect(watermark.at(1_000)).toBe(Number.NEGATIVE_INFINITY)
  watermark.assign([0, 1])
  watermark.observe(0, 50)
  watermark.observe(1, 60)
  watermark.assign([1])
  expect(watermark.at(1_000)).toBe(60)
  watermark.assign([0, 1])
  expect(watermark.at(1_000)).toBe(Number.NEGATIVE_INFINITY)
})

test('after a restart it goes on from the saved timestamps, and no outage counts until the backlog is read', () => {
  const watermark = new Watermark()
  watermark.assign([0, 1])
  watermark.observe(0, 50)
  watermark.observe(1, 60)
  watermark.fetched(0, true)
  watermark.fetched(1, true)
  const restored = new Watermark()
  restored.restore(watermark.snapshot())
  restored.assign([0, 1])
  expect(restored.at(100_000)).toBe(50)
  restored.fetched(0, true)
  expect(restored.at(100_000)).toBe(60)
})
