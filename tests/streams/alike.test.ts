import { expect, test } from 'vitest'
import { mostAlike } from '../../src/streams/alike.js'
import { trainingEvent } from './events.js'

/** So many tokens that no other name has. */
const text = (name: string, length: number) => Array.from({ length }, (_, i) => name.charCodeAt(0) * 1000 + i)

const event = (promptTokens: readonly number[], completionTokens: readonly number[] = [9]) => ({
  ...trainingEvent(0, true),
  ...{ promptTokens, completionTokens },
})

const [a, b] = [text('a', 64), text('b', 64)]

test('takes the first, and what begins as it does', () => {
  expect(mostAlike([event(a), event(b), event(b), event(a), event(b), event(a)], 3, [])).toEqual([0, 3, 5])
})

test('fills up with what has waited longest', () => {
  expect(mostAlike([event(a), event(b), event(text('c', 64)), event(a)], 3, [])).toEqual([0, 1, 3])
})

test('prefers the longer beginning, in whole runs of 32 tokens', () => {
  const [two, nearlyTwo, one] = [a, [...a.slice(0, 63), 1], [...a.slice(0, 32), 1]]
  expect(mostAlike([event(a), event(one), event(nearlyTwo), event(two)], 2, [])).toEqual([0, 3])
  expect(mostAlike([event(a), event(one), event(nearlyTwo)], 2, [])).toEqual([0, 1])
})

test('a few words in common change nothing', () => {
  const greeting = text('g', 31)
  const said = (name: string) => event([...greeting, ...text(name, 40)])
  expect(mostAlike([said('a'), event(b), said('c')], 2, [])).toEqual([0, 1])
})

test('what continues an answer begins as its whole conversation', () => {
  const [prompt, answer] = [text('p', 20), text('q', 50)]
  const next = event([...prompt, ...answer, ...text('r', 10)])
  expect(mostAlike([event(prompt, answer), event([...prompt, 7]), next], 2, [])).toEqual([0, 2])
})

test('what goes with the others of the batch counts as much', () => {
  expect(mostAlike([event(a), event(text('c', 64)), event(b)], 2, [event(b)])).toEqual([0, 2])
})

test('takes what there is', () => {
  expect(mostAlike([], 2, [])).toEqual([])
  expect(mostAlike([event(a), event(b)], 2, [])).toEqual([0, 1])
  expect(mostAlike([event(a), event(b), event(a)], 0, [])).toEqual([])
})
