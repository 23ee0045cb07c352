import { setTimeout as sleep } from 'node:timers/promises'
import { asapScheduler, BehaviorSubject, NEVER, observeOn, Subject } from 'rxjs'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { pipeline } from '../../src/daemon/pipeline.js'
import { type StreamSnapshot, StreamState } from '../../src/daemon/stream-state.js'
import type { LogRecord } from '../../src/events/types.js'
import { loadTextModel } from '../../src/text/text-model.js'
import type { TextService } from '../../src/text/text-process.js'
import { localText } from '../support/local-text.js'
import { mixed } from './feedback.js'

/** The stages of a daemon around a text model that answers when it is told to. */
function stages(snapshot: StreamSnapshot | null) {
  const config = loadConfig({ env: {}, set: ['stream.holdBack=0', 'batch.size=1', 'batch.stratify=false'] })
  const letters = { write: async () => undefined, acknowledged: () => undefined, failed: () => undefined }
  const state = new StreamState(config, () => undefined, letters)
  if (snapshot) state.restore(snapshot)
  const calls: (() => void)[] = []
  const own = localText(loadTextModel('tests/golden/chat')!)
  const text: TextService = {
    ...own,
    tokenise: async (...args) => {
      await new Promise<void>((resolve) => calls.push(resolve))
      return own.tokenise(...args)
    },
  }
  const record$ = new Subject<LogRecord>()
  const demand$ = new BehaviorSubject<unknown>(null)
  const trained: string[] = []
  const flush$ = new Subject<void>()
  const none = () => undefined
  pipeline(record$, {
    ...{ config, state, text, vocabSize: 1000, maxLength: 200, flush$, paused$: NEVER, tick$: NEVER, now: () => 0 },
    ...{ demand$: demand$.pipe(observeOn(asapScheduler)), received: none, framed: none, step: () => 0, heldOut: none },
    ...{ reject: (_, error) => expect.fail(error.line), drop: (_, reason) => expect.fail(reason) },
  }).subscribe((events) => {
    for (const { id, position } of events) {
      trained.push(id)
      state.positions.ack(position)
    }
    state.batcher.acknowledge(events)
    demand$.next(null)
  })
  const read = (offset: number, { key, value }: ReturnType<typeof mixed>[number]) => {
    const record = { topic: 'votes', partition: 0, offset, timestamp: 1_700_000_000_000, headers: {} }
    const whole = { ...record, key: Buffer.from(key), value: Buffer.from(value) }
    if (state.track(whole)) record$.next(whole)
  }
  const answer = async () => {
    for (const call of calls.splice(0)) call()
    await sleep(5)
  }
  return { state, trained, read, answer, calls }
}

test('votes that are being tokenised are open, counted, and in the checkpoint; another process goes on with them in order', async () => {
  const votes = mixed(0, 30)
  const first = stages(null)
  for (const [offset, vote] of votes.slice(0, 20).entries()) first.read(offset, vote)
  await first.answer()
  // one call has come back: the second holds the rest
  expect(first.trained).toEqual(['0'])
  expect(first.state.texts.count).toBe(19)
  expect(first.state.memory.tokenising.bytes).toBeGreaterThan(19 * 400)
  expect(first.state.positions.committable()).toEqual(new Map([[0, 1]]))
  const saved = structuredClone(first.state.snapshot())

  const second = stages(saved)
  expect(second.state.positions.committable()).toEqual(new Map([[0, 1]]))
  for (const [offset, vote] of votes.entries()) second.read(offset, vote)
  while (second.state.texts.count > 0) await second.answer()
  expect(second.trained).toEqual(Array.from({ length: 29 }, (_, i) => `${i + 1}`))
  expect(second.state.positions.committable()).toEqual(new Map([[0, 30]]))
  expect(second.state.memory.tokenising.bytes).toBe(0)
})

test('a checkpoint of before, without such votes, is read', () => {
  const { texts: _, ...older } = stages(null).state.snapshot()
  expect(stages(older).state.texts.count).toBe(0)
})
