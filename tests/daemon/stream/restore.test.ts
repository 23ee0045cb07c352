import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import { restoreStream } from '../../../src/daemon/stream/restore.js'
import { StreamState } from '../../../src/daemon/stream/stream-state.js'
import type { Feedback } from '../../../src/events/types.js'
import { sampleSnapshot } from '../../support/checkpoints.js'
import { trainingEvent } from '../../support/events.js'

/** A stream's state, and what it dropped. */
function stream() {
  const config = loadConfig({ env: {}, set: ['stream.holdBack=10m', 'eval.holdOut=0.1'] })
  const dropped: (readonly [offset: number, reason: string])[] = []
  const nothing = () => undefined
  const letters = { write: async () => undefined, acknowledged: nothing, failed: nothing }
  const state = new StreamState(config, ({ position }, reason) => dropped.push([position.offset, reason]), letters)
  return { state, dropped }
}

const vote = (offset: number, source: string): Feedback => ({
  position: { topic: 'feedback', partition: 0, offset },
  ...{ timestamp: 0, source, id: `${offset}`, subject: `answer-${offset}`, user: 'ada', label: true, weight: 1 },
  prompt: { kind: 'text', text: 'Why?' },
  completion: { kind: 'text', text: 'Because.' },
  ...{ adapter: null, logprob: null },
})

test('what waits in a checkpoint comes back, but for what may not train by the present settings', () => {
  const saved = stream().state
  const waiting = (offset: number, source: string, length: number) =>
    trainingEvent(offset, { source, promptTokens: Array(length).fill(1), completionTokens: [2] })
  for (let offset = 0; offset < 7; offset++) saved.positions.track({ topic: 'feedback', partition: 0, offset })
  for (const [offset, source] of ['chat', 'other'].entries()) saved.held.push(vote(offset, source))
  for (const [i, source] of ['chat', 'other'].entries()) saved.texts.push(vote(2 + i, source))
  saved.batcher.push(waiting(4, 'chat', 3), 0)
  saved.batcher.push(waiting(5, 'other', 3), 0)
  saved.batcher.push(waiting(6, 'chat', 40), 0)
  for (const length of [3, 40]) saved.heldOut.push({ ...waiting(7, 'chat', length), subject: `${length}`, heldOut: 1 })

  const { state, dropped } = stream()
  restoreStream(state, sampleSnapshot(1, { pending: saved.snapshot() }), {
    ...{ sources: ['chat'], maxLength: 32 },
    drop: ({ offset }, reason) => dropped.push([offset, reason]),
  })
  expect(dropped.sort()).toEqual([
    [1, 'source_refused'],
    [3, 'source_refused'],
    [5, 'source_refused'],
    [6, 'completion_too_long'],
  ])
  expect([state.held.heldCount, state.texts.count, state.batcher.count]).toEqual([1, 1, 1])
  expect(state.heldOut.recent(0).map(({ promptTokens }) => promptTokens.length)).toEqual([3])
  expect(state.positions.next(0)).toBe(7)
})
