import { expect, it } from 'vitest'

// the page is plain JavaScript for browsers; this part of it needs none
const { extent, latest, merge, movingMean, noHistory, perMinute, sinceOf, viewOf } = await import(
  new URL('../../../src/server/page/points.js', import.meta.url).href
)

const answer = (started: number, now: number, time: number[], lag: (number | null)[]) => ({
  ...{ started, now, kept_seconds: 3600, slot_seconds: 5, dead_letters: [] },
  points: { time, lag, up: time.map(() => 1), down: time.map(() => 0) },
})

it('an answer replaces the points that may have grown, and is added to the rest', () => {
  const first = merge(noHistory(), answer(1000, 1011, [1000, 1005, 1010], [1, 2, 3]))
  expect(sinceOf(first)).toBe(1010)
  const second = merge(first, answer(1000, 1016, [1010, 1015], [4, 5]))
  expect(second.points.time).toEqual([1000, 1005, 1010, 1015])
  expect(second.points.lag).toEqual([1, 2, 4, 5])
})

it('an answer without points changes nothing, and points of more than an hour ago go', () => {
  const first = merge(noHistory(), answer(1000, 1011, [1000, 1005], [1, 2]))
  expect(merge(first, answer(1000, 1100, [], [])).points.time).toEqual([1000, 1005])
  expect(merge(first, answer(1000, 4603, [], [])).points.time).toEqual([1005])
})

it('a daemon that was started again begins a new hour', () => {
  const first = merge(noHistory(), answer(1000, 1011, [1000, 1005], [1, 2]))
  expect(merge(first, answer(1008, 1011, [1010], [7])).points.lag).toEqual([7])
})

it('a view has what lies in its range, and an empty point at its end', () => {
  const history = merge(noHistory(), answer(1000, 2000, [1000, 1700, 1995], [1, 2, null]))
  const { from, to, points } = viewOf(history, 300)
  expect([from, to]).toEqual([1700, 2000])
  expect(points.time).toEqual([1700, 1995, 2000])
  expect(points.lag).toEqual([2, null, null])
})

it('a view of a young daemon begins with it, and is a minute long at least', () => {
  expect(viewOf(merge(noHistory(), answer(1000, 1400, [1000], [1])), 3600).from).toBe(1000)
  expect(viewOf(merge(noHistory(), answer(1000, 1010, [1000], [1])), 3600).from).toBe(950)
})

it('a view of nothing is empty', () => {
  const { points, means } = viewOf(merge(noHistory(), answer(1000, 1010, [], [])), 3600)
  expect(points.time).toEqual([1010])
  expect(points.lag).toEqual([null])
  expect(means('loss')).toEqual([null])
})

it('votes per minute are those of the sixty seconds before', () => {
  expect(perMinute([0, 5, 60, 64, 65, 300], [1, 2, 4, 8, 16, 32])).toEqual([1, 3, 6, 14, 28, 32])
})

it('a moving mean passes over what is not there', () => {
  expect(movingMean([0, 10, 20, 30, 40], [2, null, 4, 9, null], 30)).toEqual([2, null, 3, 6.5, null])
})

it('the latest value and the extent are of the values that there are', () => {
  expect(latest([1, 2, null])).toBe(2)
  expect(latest([null])).toBeNull()
  expect(extent([null, 3, -1])).toEqual({ low: -1, high: 3 })
  expect(extent([null])).toBeNull()
})
