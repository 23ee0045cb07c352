import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Feedback, TrainingEvent } from '../../src/events/types.js'
import { type HeldOutOptions, type HeldOutState, HeldOutVotes } from '../../src/streams/held-out-votes.js'
import { trainingEvent, vote } from './events.js'

const keeping = (options: Partial<HeldOutOptions> = {}) => new HeldOutVotes({ perLabel: 100, maxAge: 0, ...options })

/** An event that is held out; its one completion token is its offset. */
const held = (offset: number, label = true, change: Partial<TrainingEvent> = {}): TrainingEvent => ({
  ...trainingEvent(offset, label),
  ...{ subject: `c${offset}`, user: 'u', completionTokens: [offset], heldOut: offset + 1 },
  ...change,
})

/** The vote on the same completion. */
const on = (offset: number, label: boolean | null, change: Partial<Feedback> = {}) =>
  vote(offset, { label, subject: `c${offset}`, ...change })

const offsets = (votes: HeldOutVotes, now = 0) => votes.recent(now).map(({ completionTokens }) => completionTokens[0])
const none = () => []

test('a vote is kept with its tokens, label, weight and conversation, and without who gave it', () => {
  const votes = keeping()
  votes.push(held(7, false, { weight: 0.5, promptTokens: [3, 4], source: 'secret source', user: 'secret user' }))
  const [kept] = votes.recent(0)
  expect(kept).toMatchObject({
    label: false,
    weight: 0.5,
    promptTokens: [3, 4],
    completionTokens: [7],
    conversation: 8,
  })
  expect(JSON.stringify(votes.snapshot())).not.toMatch(/secret|c7/)
  expect(votes.counts).toEqual({ up: 0, down: 1 })
})

test('the newest of each label are kept', () => {
  const votes = keeping({ perLabel: 2 })
  for (const [offset, label] of [true, false, true, true, true].entries()) votes.push(held(offset, label))
  expect(offsets(votes)).toEqual([3, 4, 1])
})

test('with room for none, none is kept', () => {
  const votes = keeping({ perLabel: 0 })
  votes.push(held(1))
  expect(votes.counts).toEqual({ up: 0, down: 0 })
  expect(votes.bytes).toBe(0)
})

test('votes beyond their age are forgotten', () => {
  const votes = keeping({ maxAge: 10 })
  for (const offset of [1, 5, 12]) votes.push(held(offset))
  expect(offsets(votes, 15)).toEqual([5, 12])
  votes.forget(16)
  expect(votes.counts.up).toBe(1)
})

test('above the bound of memory the oldest of the larger class go', () => {
  const one = keeping()
  one.push(held(0))
  const votes = keeping({ maxBytes: 3.5 * one.bytes })
  for (const [offset, label] of [false, true, true, true, true].entries()) votes.push(held(offset, label))
  expect(offsets(votes)).toEqual([3, 4, 0])
  expect(votes.bytes).toBe(3 * one.bytes)
})

test('a retraction removes the vote, and only that', () => {
  const votes = keeping()
  for (const offset of [1, 2]) votes.push(held(offset))
  for (const change of [{ source: 'survey' }, { user: 'v' }, { user: null }]) votes.takeBack(on(1, null, change), none)
  expect(offsets(votes)).toEqual([1, 2])
  votes.takeBack(on(1, null), none)
  expect(offsets(votes)).toEqual([2])
})

test('a retraction by everybody removes all votes on the completion', () => {
  const votes = keeping()
  votes.push(held(1, true, { subject: 'c', user: 'a' }))
  votes.push(held(2, false, { subject: 'c', user: 'b', source: 'survey' }))
  votes.push(held(3))
  votes.takeBack(vote(9, { subject: 'c', label: null, user: null, ofAllUsers: true }), none)
  expect(offsets(votes)).toEqual([3])
})

test('a changed vote takes the place of the first, which counts no more from the moment that it changes', () => {
  const votes = keeping()
  const same = { subject: 'c' }
  votes.push(held(1, true, same))
  votes.takeBack(vote(2, { ...same, label: true }), none)
  expect(offsets(votes)).toEqual([1])
  votes.takeBack(vote(3, { ...same, label: false }), none)
  expect(offsets(votes)).toEqual([])
  votes.push(held(3, false, same))
  votes.push(held(4, true, same))
  expect(votes.recent(0).map(({ label }) => label)).toEqual([true])
  expect(votes.counts).toEqual({ up: 1, down: 0 })
})

test('bare rows are votes of their own', () => {
  const votes = keeping()
  const bare = { subject: null, user: null }
  for (const offset of [1, 2]) votes.push(held(offset, true, bare))
  votes.takeBack(vote(3, { ...bare, label: null }), none)
  expect(offsets(votes)).toEqual([1, 2])
})

test('a vote that is retracted while it is tokenised is not kept, also after a restart', () => {
  const waiting = [1, 2, 3].map((offset) => on(offset, true, { heldOut: offset }))
  for (const restart of [false, true]) {
    let votes = keeping()
    votes.takeBack(on(1, null), () => waiting)
    votes.takeBack(on(3, null), () => waiting)
    if (restart) {
      const { retracted } = votes.snapshot()
      votes = keeping()
      votes.restore({ votes: [], retracted })
    }
    for (const offset of [1, 2, 3]) votes.push(held(offset))
    expect(offsets(votes)).toEqual([2])
    // given again with another label, it is another vote
    votes.push(held(4, false, { subject: 'c1' }))
    expect(offsets(votes)).toEqual([2, 4])
  }
})

test('what was retracted and never arrived is not remembered for ever', () => {
  const votes = keeping()
  votes.takeBack(on(1, null), () => [on(1, true, { heldOut: 1 })])
  votes.takeBack(on(2, null), none)
  expect(votes.snapshot().retracted).toEqual([])
})

test('goes on the same after a restore', () => {
  const events = fc.array(
    fc.record({ completion: fc.nat(8), label: fc.constantFrom(true, false, null), user: fc.constantFrom('a', null) }),
  )
  fc.assert(
    fc.property(events, fc.nat(40), (sent, cut) => {
      const options = { perLabel: 3, maxAge: 20 }
      const whole = keeping(options)
      let restarted = keeping(options)
      for (const [offset, { completion, label, user }] of sent.entries()) {
        if (offset === cut) {
          const state = decode(encode(restarted.snapshot())) as HeldOutState
          restarted = keeping(options)
          restarted.restore(state)
        }
        for (const votes of [whole, restarted]) {
          votes.takeBack(vote(offset, { subject: `c${completion}`, label, user }), none)
          if (label !== null) votes.push(held(offset, label, { subject: `c${completion}`, user }))
        }
      }
      expect(restarted.recent(sent.length)).toEqual(whole.recent(sent.length))
      expect(restarted.bytes).toBe(whole.bytes)
      const { up, down } = whole.counts
      expect(Math.max(up, down)).toBeLessThanOrEqual(3)
    }),
  )
})
