import { expect, test } from 'vitest'
import { SteadyClock } from '../../../src/streams/collections/steady-clock.js'

function clocks() {
  const time = { wall: 1_000_000, monotonic: 0 }
  const clock = new SteadyClock(
    () => time.wall,
    () => time.monotonic,
  )
  const pass = (ms: number, step = 0) => {
    time.monotonic += ms
    time.wall += ms + step
    return clock.now()
  }
  return { time, pass }
}

test('is the wall clock while nobody sets that', () => {
  const { time, pass } = clocks()
  for (const ms of [0, 1, 500, 60_000]) expect(pass(ms)).toBe(time.wall)
})

test('a clock set back makes it run at half speed until both agree, never back', () => {
  const { time, pass } = clocks()
  expect(pass(1_000, -3_600_000)).toBe(1_000_500)
  expect(pass(10_000)).toBe(1_005_500)
  expect(pass(0)).toBe(1_005_500)
  // 3,600 s behind: agreed after 7,200 s
  expect(pass(7_188_000)).toBeGreaterThan(time.wall)
  expect(pass(2_000)).toBe(time.wall)
  expect(pass(1_000)).toBe(time.wall)
})

test('a clock set forward makes it run at double speed until both agree', () => {
  const { time, pass } = clocks()
  expect(pass(1_000, 3_600_000)).toBe(1_002_000)
  expect(pass(3_598_000)).toBe(8_198_000)
  expect(time.wall).toBe(8_199_000)
  expect(pass(2_000)).toBe(time.wall)
})
