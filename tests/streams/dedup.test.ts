import { expect, test } from 'vitest'
import type { Feedback } from '../../src/events/types.js'
import { DedupWindow, dedup } from '../../src/streams/dedup.js'
import { dropLog, vote } from './events.js'
import { marbles } from './marbles.js'

test('lets an event through once', () => {
  marbles(({ cold, expectObservable, expectSubscriptions, flush }) => {
    const { drop, dropped } = dropLog()
    const values = { a: vote(1), b: vote(2), c: vote(3, { id: 'e0-1' }) }
    const source = cold('-a-b-c-|', values)
    const subs = '        ^------!'
    const expected = '    -a-b---|'
    expectObservable(source.pipe(dedup(new DedupWindow(10), drop))).toBe(expected, values)
    expectSubscriptions(source.subscriptions).toBe(subs)
    flush()
    expect(dropped).toEqual(['3 duplicate'])
  })
})

test('passes an error on', () => {
  marbles(({ cold, expectObservable }) => {
    const { drop } = dropLog()
    expectObservable(cold<Feedback>('-#').pipe(dedup(new DedupWindow(10), drop))).toBe('-#')
  })
})

test('the same id from another source is another event', () => {
  const window = new DedupWindow(10)
  expect(window.admit(vote(1, { id: 'x', source: 'a' }))).toBe(true)
  expect(window.admit(vote(2, { id: 'x', source: 'b' }))).toBe(true)
  expect(window.admit(vote(3, { id: 'bx', source: '' }))).toBe(true)
})

test('forgets an event when as many others as the window holds have passed', () => {
  const window = new DedupWindow(2)
  for (const offset of [1, 2, 3]) window.admit(vote(offset))
  expect(window.admit(vote(9, { id: 'e0-2' }))).toBe(false)
  expect(window.admit(vote(9, { id: 'e0-1' }))).toBe(true)
})

test('bare rows take no room in the window', () => {
  const window = new DedupWindow(1)
  window.admit(vote(1))
  for (const offset of [2, 3]) window.admit(vote(offset, { subject: null, id: `feedback-0-${offset}` }))
  expect(window.admit(vote(4, { id: 'e0-1' }))).toBe(false)
})

test('remembers across a restore', () => {
  const window = new DedupWindow(5)
  window.admit(vote(1))
  const restored = new DedupWindow(5)
  restored.restore(window.snapshot())
  expect(restored.admit(vote(2, { id: 'e0-1' }))).toBe(false)
})
