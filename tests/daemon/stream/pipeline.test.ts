import { setTimeout as sleep } from 'node:timers/promises'
import { asapScheduler, BehaviorSubject, NEVER, observeOn, Subject } from 'rxjs'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import { pipeline } from '../../../src/daemon/stream/pipeline.js'
import { type StreamSnapshot, StreamState } from '../../../src/daemon/stream/stream-state.js'
import type { DropReason, LogRecord, Position } from '../../../src/events/types.js'
import { loadTextModel } from '../../../src/text/text-model.js'
import type { TextService } from '../../../src/text/text-process.js'
import { localText } from '../../support/local-text.js'
import { mixed } from '../feedback.js'

/** The stages of a daemon around a text model that answers when it is told to. */
function stages(snapshot: StreamSnapshot | null, ...set: readonly string[]) {
  const config = loadConfig({ env: {}, set: ['stream.holdBack=0', 'batch.size=1', 'batch.stratify=false', ...set] })
  const letters = { write: async () => undefined, acknowledged: () => undefined, failed: () => undefined }
  const drop = (position: Position, reason: DropReason) => {
    if (reason !== 'retraction') expect.fail(reason)
    state.positions.ack(position)
  }
  const state: StreamState = new StreamState(config, ({ position }, reason) => drop(position, reason), letters)
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
  const heldOut: string[] = []
  const flush$ = new Subject<void>()
  const none = () => undefined
  pipeline(record$, {
    ...{ config, state, text, vocabSize: 1000, maxLength: 200, flush$, paused$: NEVER, tick$: NEVER, now: () => 0 },
    ...{ demand$: demand$.pipe(observeOn(asapScheduler)), received: none, framed: none, step: () => 0 },
    ...{ reject: (_, error) => expect.fail(error.line), drop },
    heldOut: ({ id, position }) => {
      heldOut.push(id)
      state.positions.ack(position)
    },
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
  return { state, trained, heldOut, read, answer, calls }
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

test('a checkpoint of before, without such votes and without held-out ones, is read', () => {
  const { texts: _, heldOut: __, ...older } = stages(null).state.snapshot()
  const { state } = stages(older)
  expect([state.texts.count, state.heldOut.counts]).toEqual([0, { up: 0, down: 0 }])
})

test('each vote trains or is held out, once, over a restart; held-out ones are in the checkpoint from then on', async () => {
  const votes = mixed(0, 60)
  const first = stages(null, 'eval.holdOut=0.3')
  for (const [offset, vote] of votes.slice(0, 40).entries()) first.read(offset, vote)
  await first.answer()
  const second = stages(structuredClone(first.state.snapshot()), 'eval.holdOut=0.3')
  expect(second.state.heldOut.recent(0)).toEqual(first.state.heldOut.recent(0))
  for (const [offset, vote] of votes.entries()) second.read(offset, vote)
  while (second.state.texts.count > 0) await second.answer()
  // Binomial(60, 0.3): four standard deviations are 14
  const heldOut = [...first.heldOut, ...second.heldOut]
  expect(Math.abs(heldOut.length - 18)).toBeLessThan(14)
  const all = [...heldOut, ...first.trained, ...second.trained].map(Number)
  expect(all.sort((a, b) => a - b)).toEqual(votes.map((_, i) => i))
  const { up, down } = second.state.heldOut.counts
  expect(up + down).toBe(heldOut.length)
  expect(second.state.positions.committable()).toEqual(new Map([[0, 60]]))
  expect(second.state.memory.byPlace()).toMatchObject({
    tokenising: 0,
    batching: 0,
    held_out: second.state.heldOut.bytes,
  })
})

test('a held-out vote that is retracted is forgotten, also while it is tokenised', async () => {
  const votes = mixed(0, 80)
  const house = stages(null, 'eval.holdOut=0.5')
  const retraction = ({ key, value }: (typeof votes)[number]) => {
    const { data, ...attributes } = JSON.parse(value)
    return { key, value: JSON.stringify({ ...attributes, id: `${key} retracted`, data: { ...data, label: null } }) }
  }
  for (const [offset, vote] of votes.entries()) house.read(offset, vote)
  // a call of one vote, then one of many
  await house.answer()
  await house.answer()
  const kept = house.state.heldOut.counts
  expect(kept.up + kept.down).toBeGreaterThan(5)
  expect(house.state.texts.count).toBeGreaterThan(0)
  for (const [i, vote] of votes.entries()) house.read(80 + i, retraction(vote))
  expect(house.state.heldOut.counts).toEqual({ up: 0, down: 0 })
  while (house.state.texts.count > 0) await house.answer()
  expect(house.state.heldOut.counts).toEqual({ up: 0, down: 0 })
  expect(house.heldOut.length).toBeGreaterThan(kept.up + kept.down)
  expect(house.state.positions.committable()).toEqual(new Map([[0, 160]]))
})
