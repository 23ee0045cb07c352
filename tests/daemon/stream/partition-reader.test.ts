import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BehaviorSubject, NEVER, Subject } from 'rxjs'
import { expect, onTestFinished, test } from 'vitest'
import { takeFence } from '../../../src/checkpoint/fence.js'
import { loadConfig } from '../../../src/config/config.js'
import { PartitionReader } from '../../../src/daemon/stream/partition-reader.js'
import { pipeline } from '../../../src/daemon/stream/pipeline.js'
import { StreamState } from '../../../src/daemon/stream/stream-state.js'
import { BcodError } from '../../../src/errors.js'
import type { LogRecord, TrainingEvent } from '../../../src/events/types.js'
import { DeadLetterSegments } from '../../../src/streams/dead-letter-segments.js'
import type { Assignment, DeadLetter, FeedbackLog } from '../../../src/streams/source.js'
import type { LifecycleState } from '../../../src/telemetry/lifecycle.js'
import { createLogger } from '../../../src/telemetry/logger.js'
import { Metrics } from '../../../src/telemetry/metrics.js'
import { Telemetry } from '../../../src/telemetry/telemetry.js'
import { usedBytes } from '../../streams/heap.js'
import { temporaryDirectory } from '../../support/checkpoints.js'

const MIB = 2 ** 20
const NOW = 1_700_000_000_000

/** The stages up to the batch, in front of a learner and a dead-letter topic that take nothing until they are told to. */
function house(settings: Readonly<Record<string, unknown>> = {}) {
  const all = { 'stream.holdBack': '0', 'stream.ledger': 1000, 'stream.dedupWindow': 1000, ...settings }
  const config = loadConfig({ env: {}, set: Object.entries(all).map(([key, value]) => `${key}=${value}`) })
  const directory = temporaryDirectory()
  const letters: DeadLetter[] = []
  let open = false
  let release = () => undefined as unknown
  const opened = new Promise((resolve) => {
    release = () => resolve(undefined)
  })
  const state = new StreamState(config, ({ position }) => state.positions.ack(position), {
    write: async (written) => {
      if (!open) await opened
      letters.push(...written)
    },
    acknowledged: ({ record }) => {
      state.positions.ack(record)
      reader.updateBackpressure()
    },
    failed: () => undefined,
  })
  const segments = new DeadLetterSegments({ directory, fence: takeFence(directory), failed: () => undefined })
  state.deadLetters.keepOn(segments)
  const calls: string[] = []
  const log = {
    ...{ topic: 'feedback', pause: () => calls.push('pause'), resume: () => calls.push('resume') },
    ...{ clusterId: async () => 'cluster', recordAt: async () => null },
  }
  const clock = { now: NOW }
  const telemetry = new Telemetry(createLogger('silent'), new Metrics())
  const lifecycle$ = new BehaviorSubject<LifecycleState>('running')
  const reader = new PartitionReader({
    ...{ config, log: log as unknown as FeedbackLog, state, telemetry, lifecycle$ },
    ...{
      pipelineFailed: () => false,
      checkpointsFail: () => false,
      unreadable: () => undefined,
      decoded: () => undefined,
    },
    now: () => clock.now,
  })
  const demand$ = new Subject<void>()
  const batches: TrainingEvent[][] = []
  pipeline(reader.record$, {
    ...{ config, state, text: null, vocabSize: 32_000, maxLength: 100_000 },
    ...{ demand$, flush$: NEVER, paused$: NEVER, tick$: reader.fetched$, now: () => clock.now },
    ...{ received: () => undefined, framed: () => undefined, heldOut: () => undefined, step: () => 0 },
    reject: (record, error, stage) => state.deadLetters.push({ record, code: error.code, message: error.line, stage }),
    drop: (position) => state.positions.ack(position),
  }).subscribe((batch) => batches.push(batch))
  onTestFinished(() => state.deadLetters.settle(0).then(() => state.deadLetters.close()))
  return {
    ...{ config, state, reader, calls, batches, letters, directory, clock },
    /** A step takes what waits. */
    step() {
      demand$.next()
      const batch = batches.shift() ?? []
      for (const { position } of batch) state.positions.ack(position)
      state.batcher.acknowledge(batch)
      reader.updateBackpressure()
      return batch.map(({ position }) => position.offset)
    },
    openTopic() {
      open = true
      release()
    },
  }
}

let offset = 0
const record = (value: Buffer): LogRecord => ({
  ...{ topic: 'feedback', partition: 0, offset: offset++, timestamp: NOW, key: null, value, headers: {} },
})
const fetched = (records: readonly LogRecord[]) => ({
  ...{ partition: 0, records, nextOffset: records.at(-1)!.offset + 1, logEnd: records.at(-1)!.offset + 1 },
})
const vote = (index: number, data: object, name = `name-${index}`) =>
  Buffer.from(
    JSON.stringify({
      ...{ specversion: '1.0', type: 'bcod.feedback.v1', source: name, id: name, subject: name },
      data: { prompt_tokens: [1], completion_tokens: [2], label: true, user: name, adapter: name, ...data },
    }),
  )
/** As a fetch brings them: views of one large block. */
function views(values: readonly Buffer[]): readonly LogRecord[] {
  const block = Buffer.from(new Uint8Array(Buffer.concat(values)).buffer)
  let at = 0
  return values.map(({ length }) => {
    at += length
    return record(block.subarray(at - length, at))
  })
}
const many = <T>(count: number, of: (index: number) => T) => Array.from({ length: count }, (_, i) => of(i))
const long = (index: number) => `${String(index).padStart(8, '0')}${'😀'.repeat(1016)}`
const junk = (bytes: number) => (index: number) => Buffer.alloc(bytes, `${index} `)

test('reading pauses within a fetch, goes on with it when half is free, and fetches again when all of it is through', () => {
  const { reader, state, calls, step } = house({ 'stream.pendingEvents': 10, 'batch.size': 4 })
  offset = 0
  reader.onBatch(fetched(many(24, (i) => record(vote(i, {})))))
  expect([state.batcher.count, state.positions.next(0), reader.paused, calls]).toEqual([10, 10, true, ['pause']])
  expect(state.memory.byPlace().fetched).toBeGreaterThan(24 * 100)
  const trained = [...step(), ...step()]
  expect([state.batcher.count, reader.paused, calls]).toEqual([10, true, ['pause']])
  while (trained.length < 24) trained.push(...step())
  expect(trained).toEqual(many(24, (i) => i))
  expect([reader.paused, calls, state.positions.next(0)]).toEqual([false, ['pause', 'resume'], 24])
  expect([state.memory.taken, state.memory.fetched.bytes, state.positions.openCount]).toEqual([0, 0, 0])
})

test('what was fetched and had to wait is forgotten with the assignment: the next one reads it again', () => {
  const { reader, state, calls } = house({ 'stream.pendingEvents': 2, 'batch.size': 1 })
  offset = 0
  const records = many(6, (i) => record(vote(i, {})))
  reader.onBatch(fetched(records))
  expect(state.memory.byPlace().fetched).toBeGreaterThan(0)
  reader.revoked()
  expect([state.memory.byPlace().fetched, state.positions.next(0)]).toEqual([0, 2])
  const { events } = state.batcher.snapshot()
  state.batcher.remove(events)
  for (const { position } of events) state.positions.ack(position)
  reader.updateBackpressure()
  expect(calls).toEqual(['pause', 'resume'])
  reader.onBatch(fetched(records))
  expect(state.batcher.snapshot().events.map(({ position }) => position.offset)).toEqual([2, 3])
})

test('looks at where the log ends do not pile up while reading is paused, and still tell the lag', () => {
  const { reader, state, step } = house({ 'stream.pendingEvents': 2, 'batch.size': 1 })
  offset = 0
  reader.onBatch(fetched(many(4, (i) => record(vote(i, {})))))
  const { fetched: before } = state.memory.byPlace()
  for (const logEnd of many(1000, (i) => 4 + i)) reader.onBatch({ partition: 0, records: [], nextOffset: 4, logEnd })
  expect([reader.paused, state.memory.fetched.bytes]).toEqual([true, before])
  expect(reader.lag()).toEqual(new Map([[0, 1003]]))
  while (state.batcher.count > 0) step()
  expect([reader.paused, state.memory.fetched.bytes, state.positions.next(0)]).toEqual([false, 0, 4])
})

test('what could not be read counts in memory while it waits, like records', () => {
  const { reader, state } = house({ 'stream.pendingEvents': 1, 'batch.size': 1 })
  offset = 0
  reader.onBatch(fetched(many(1, (i) => record(vote(i, {})))))
  const unreadable = {
    record: record(Buffer.alloc(MIB)),
    range: { lastOffset: 1, records: 1 },
    error: new BcodError('INTERNAL', 'damaged'),
  }
  reader.onBatch({ partition: 0, records: [], nextOffset: 2, logEnd: 2, unreadable })
  expect(reader.paused).toBe(true)
  expect(state.memory.fetched.bytes).toBeGreaterThan(MIB)
})

const assignment = (end: number): Assignment => ({
  ...{ partitions: [0], total: 1, bounds: new Map([[0, { start: 0, end }]]), committed: new Map() },
})

test('an assignment that comes while reading is paused does not let held votes go on', async () => {
  const { reader, state, clock } = house({ 'stream.holdBack': '10s', 'stream.pendingEvents': 2, 'batch.size': 1 })
  offset = 0
  await reader.assigned(assignment(0), null)
  const withoutSubject = { ...JSON.parse(vote(9, {}).toString()), subject: undefined, id: 'other' }
  const direct = () => record(Buffer.from(JSON.stringify({ ...withoutSubject, id: `vote-${offset}` })))
  reader.onBatch(fetched([record(vote(0, {})), direct(), direct()]))
  expect([reader.paused, state.held.heldCount]).toEqual([true, 1])
  reader.revoked()
  await reader.assigned(assignment(3), null)
  clock.now += 3_000
  expect([reader.paused, state.watermark.at(clock.now)]).toEqual([true, NOW])
})

test('from its end on no held vote goes on, however long the daemon takes to stop', async () => {
  const { reader, state, clock } = house({ 'stream.holdBack': '2s' })
  offset = 0
  await reader.assigned(assignment(0), null)
  reader.onBatch(fetched([record(vote(0, {}))]))
  clock.now += 1_000
  reader.close()
  clock.now += 3_000
  reader.fetched$.next()
  expect([state.held.heldCount, state.watermark.at(clock.now)]).toEqual([1, NOW])
})

test('reading goes on when all that can drain has drained, however much letters and held votes take', () => {
  const pendingBytes = 16 * MIB
  const { reader, state, step } = house({
    ...{ 'stream.holdBack': '10m', 'stream.pendingBytes': pendingBytes, 'stream.pendingEvents': 1_000_000 },
    'batch.size': 64,
  })
  offset = 0
  const read = (count: number, value: (index: number) => Buffer) =>
    reader.onBatch(fetched(many(count, () => record(value(offset)))))
  read(60, junk(100_000))
  while (state.memory.held.bytes < 0.39 * pendingBytes) read(100, (i) => vote(i, {}, long(i)))
  expect(state.memory.taken).toBeGreaterThan(0.5 * pendingBytes)
  const direct = (index: number) => {
    const { subject: _, ...event } = JSON.parse(vote(index, {}, `vote-${index}`).toString())
    return Buffer.from(
      JSON.stringify({ ...event, data: { ...event.data, prompt_tokens: many(5_000, (k) => k + index) } }),
    )
  }
  while (!reader.paused) read(20, direct)
  expect(state.memory.taken).toBeLessThan(1.1 * pendingBytes)
  let resumed = 0
  while (state.batcher.count > 0 && reader.paused) {
    step()
    resumed = state.batcher.count
  }
  expect([reader.paused, resumed > 0]).toEqual([false, true])
})

test('a record that was read does not keep its fetch in memory', () => {
  const { reader, state } = house()
  const before = usedBytes()
  // in a function of its own, whose values are gone when it returns
  const send = () =>
    reader.onBatch(fetched(views([...many(20, (i) => vote(i, { more: 'x'.repeat(MIB / 2) })), junk(100)(1)])))
  send()
  expect(state.deadLetters.size).toBe(1)
  expect(usedBytes() - before).toBeLessThan(2 * MIB)
})

/** What a stranger can send, in fetches of some MiB. */
const ATTACKS: Readonly<
  Record<string, readonly [settings: object, fetches: number, values: (fetch: number) => Buffer[]]>
> = {
  'held votes with the longest names': [
    { 'stream.holdBack': '10m' },
    40,
    (fetch) => many(200, (i) => vote(i, {}, long(200 * fetch + i))),
  ],
  'held votes of the longest text': [
    { 'stream.holdBack': '10m', 'limits.maxRecordBytes': '1MiB' },
    20,
    (fetch) => many(4, (i) => vote(4 * fetch + i, { prompt_tokens: many(200_000, (k) => k % 10) })),
  ],
  'votes that are changed over and over': [
    { 'stream.holdBack': '10m' },
    30,
    (fetch) => many(8, (i) => vote(0, { prompt_tokens: many(100_000, (k) => k % 10), label: i % 2 === 0, id: fetch })),
  ],
  'votes that wait for a learner': [{}, 40, (fetch) => many(200, (i) => vote(i, {}, long(200 * fetch + i)))],
  'large letters': [{}, 40, () => many(8, junk(900_000))],
  'small letters': [{}, 40, () => many(4_000, junk(20))],
}

test.each(Object.entries(ATTACKS))(
  'the process stays within its budget: %s',
  async (_, [settings, fetches, values]) => {
    const pendingBytes = 8 * MIB
    const dlqSpillBytes = 12 * MIB
    const { reader, state, directory, openTopic, letters } = house({
      ...{
        'stream.pendingBytes': pendingBytes,
        'stream.dlqSpillBytes': dlqSpillBytes,
        'stream.pendingEvents': 1_000_000,
      },
      ...settings,
    })
    offset = 0
    const before = usedBytes()
    let largest = 0
    let fetch = 0
    for (; fetch < fetches && !reader.paused; fetch++) {
      const records = views(values(fetch))
      largest = Math.max(
        largest,
        records.reduce((bytes, { value }) => bytes + (value?.length ?? 0), 0),
      )
      reader.onBatch(fetched(records))
    }
    const used = usedBytes() - before
    expect(state.memory.taken).toBeLessThan(1.1 * pendingBytes)
    expect(used).toBeLessThan(1.5 * pendingBytes + largest)
    const disk = () => {
      const folder = join(directory, 'letters')
      return readdirSync(directory).includes('letters')
        ? readdirSync(folder).reduce((bytes, name) => bytes + statSync(join(folder, name)).size, 0)
        : 0
    }
    expect(disk()).toBeLessThan(dlqSpillBytes + 2 * MIB)
    if (state.deadLetters.size === 0) return
    // a checkpoint does not carry them, and none is lost when the topic takes them
    const { size } = state.deadLetters
    const { letters: carried } = state.deadLetters.snapshot()
    expect(carried.reduce((bytes, { record: { value } }) => bytes + (value?.length ?? 0), 0)).toBeLessThan(4 * MIB)
    openTopic()
    for (let tries = 0; tries < 1000 && state.deadLetters.size > 0; tries++)
      await new Promise((done) => setTimeout(done, 5))
    expect(letters.length).toBeGreaterThanOrEqual(size)
    expect(new Set(letters.map(({ record }) => record.offset)).size).toBe(letters.length)
  },
)
