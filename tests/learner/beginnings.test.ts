import { expect, test } from 'vitest'
import { beginningShapes, findBeginnings } from '../../src/learner/beginnings.js'

const text = (name: number, length: number) => Array.from({ length }, (_, i) => name * 10_000 + i)
const event = (promptTokens: readonly number[], completion = 5) => ({
  promptTokens,
  completionTokens: text(9, completion),
})
const LIMITS = { longest: 512, room: 1024 }

const [system, other] = [text(1, 300), text(2, 600)]

test('finds what the prompts of two or more events begin with, in whole runs of 64 tokens', () => {
  const events = [event([...system, 1]), event([...other, 1]), event([3]), event([...system, 2]), event([...other, 2])]
  expect(findBeginnings(events, LIMITS)).toEqual([
    { beginning: system.slice(0, 256), events: [0, 3] },
    { beginning: other.slice(0, 576), events: [1, 4] },
  ])
})

test('finds nothing below 256 tokens, nor in one event', () => {
  expect(findBeginnings([event(text(1, 255)), event(text(1, 255))], LIMITS)).toEqual([])
  expect(findBeginnings([event(system), event(other)], LIMITS)).toEqual([])
  expect(findBeginnings([], LIMITS)).toEqual([])
})

test('leaves each prompt a token of its own, from which the first of the completion is predicted', () => {
  expect(findBeginnings([event(text(1, 256)), event(text(1, 400))], LIMITS)).toEqual([])
  expect(findBeginnings([event(text(1, 257)), event(text(1, 400))], LIMITS)).toEqual([
    { beginning: text(1, 256), events: [0, 1] },
  ])
})

test('a completion is never part of a beginning', () => {
  const answered = { promptTokens: text(1, 280), completionTokens: text(5, 300) }
  const next = event([...text(1, 280), ...text(5, 300), 7])
  expect(findBeginnings([answered, next], LIMITS)).toEqual([{ beginning: text(1, 256), events: [0, 1] }])
})

test('what shares less joins those that share more, at what all of them share', () => {
  const events = [event([...other, ...text(3, 200), 1]), event([...other, ...text(3, 200), 2]), event([...other, 3])]
  expect(findBeginnings(events, LIMITS)).toEqual([{ beginning: other.slice(0, 576), events: [0, 1, 2] }])
})

test('takes no more than there is room for, before and behind', () => {
  const [long, short] = [event([...other, 1], 400), event([...other, 2], 3)]
  expect(findBeginnings([long, short], { longest: 512, room: 320 })).toEqual([])
  expect(findBeginnings([long, short], { longest: 1024, room: 320 })).toEqual([
    { beginning: other.slice(0, 320), events: [0, 1] },
  ])
  expect(findBeginnings([long, short], { longest: 512, room: 0 })).toEqual([])
})

test('there is a shape for each beginning that events can have, and for what is behind it', () => {
  const { alone, behind } = beginningShapes(1024, 8)
  expect(alone.map(({ length }) => length)).toEqual([256, 512, 768, 1024])
  expect(new Set(behind.map(({ beginning }) => beginning))).toEqual(new Set([256, 512, 768, 1024]))
  expect(Math.max(...behind.map(({ longest }) => longest))).toBe(512)
  for (const { tokens, rows, length } of behind) expect(rows * length).toBeGreaterThanOrEqual(tokens)
})

test('events that are never long enough, or alone in their step, need none', () => {
  expect(beginningShapes(256, 8)).toEqual({ alone: [], behind: [] })
  expect(beginningShapes(2048, 1)).toEqual({ alone: [], behind: [] })
})
