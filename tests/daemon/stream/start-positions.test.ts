import { describe, expect, test } from 'vitest'
import type { Snapshot } from '../../../src/checkpoint/snapshot.js'
import { loadConfig } from '../../../src/config/config.js'
import { type StartOptions, startPositions } from '../../../src/daemon/stream/start-positions.js'
import { recordSha256, StreamState } from '../../../src/daemon/stream/stream-state.js'
import type { LogRecord } from '../../../src/events/types.js'
import type { Assignment, FeedbackLog } from '../../../src/streams/source.js'

const TOPIC = 'feedback'

const record = (offset: number, value: string, timestamp = 1000 + offset): LogRecord => ({
  ...{ topic: TOPIC, partition: 0, offset, timestamp, key: null, value: Buffer.from(value), headers: {} },
})

/** A log of one partition, of which some offsets may be gone. */
class PlainLog {
  constructor(
    readonly records: readonly (LogRecord | null)[],
    readonly topicId: string | null = 'first',
  ) {}

  get log(): FeedbackLog {
    const asked: Partial<FeedbackLog> = {
      topic: TOPIC,
      clusterId: async () => 'cluster',
      recordAt: async (_, offset) => this.records[offset] ?? null,
    }
    return asked as FeedbackLog
  }

  assignment(partitions: readonly number[] = [0]): Assignment {
    return {
      ...{ partitions, total: partitions.length, committed: new Map(), topicId: this.topicId },
      bounds: new Map(partitions.map((p) => [p, { start: 0, end: this.records.length }])),
    }
  }
}

const stateOf = () =>
  new StreamState(loadConfig(), () => undefined, {
    write: async () => undefined,
    acknowledged: () => undefined,
    failed: () => undefined,
  })

/** The state of a process that has read the log to its end. */
async function reader({
  records,
  log,
  assignment,
}: {
  records: PlainLog['records']
  log: PlainLog['log']
  assignment: Assignment
}) {
  const state = stateOf()
  await startPositions(log, assignment, state, null, EARLIEST)
  for (const each of records) if (each) state.track(each)
  return state
}

const readAll = (log: PlainLog) => reader({ records: log.records, log: log.log, assignment: log.assignment() })

const EARLIEST: StartOptions = { start: null, acceptGap: false, firstTotal: 1 }

const again = (log: PlainLog, state: StreamState, checkpoint: Snapshot | null = null) =>
  startPositions(log.log, log.assignment(), state, checkpoint, EARLIEST)

const values = (...all: string[]) => all.map((value, offset) => record(offset, value))

describe('the log is compared with what this process has read', () => {
  test('the same log is read on, without any checkpoint', async () => {
    const log = new PlainLog(values('a', 'b'))
    expect(await again(log, await readAll(log))).toEqual(new Map([[0, 2]]))
  })

  test('another record at the offset that was read last is another log', async () => {
    const state = await readAll(new PlainLog(values('a', 'b'), null))
    const refilled = new PlainLog(values('x', 'y', 'z', 'w'), null)
    await expect(again(refilled, state)).rejects.toMatchObject({ code: 'TOPIC_RECREATED', place: `${TOPIC}-0` })
  })

  test('records that differ in their time alone are others', async () => {
    const state = await readAll(new PlainLog(values('a', 'a'), null))
    const refilled = new PlainLog([record(0, 'a', 5000), record(1, 'a', 5001), record(2, 'a', 5002)], null)
    await expect(again(refilled, state)).rejects.toMatchObject({ code: 'TOPIC_RECREATED' })
  })

  test('where the last record is compacted away, an earlier one tells', async () => {
    const state = stateOf()
    state.track(record(0, 'a'))
    state.lastRecords()
    state.track(record(1, 'b'))
    const kept = new PlainLog([record(0, 'a'), null, record(2, 'c')], null)
    expect(await again(kept, state)).toEqual(new Map([[0, 2]]))
    const other = new PlainLog([record(0, 'x'), null, record(2, 'c')], null)
    await expect(again(other, state)).rejects.toMatchObject({ code: 'TOPIC_RECREATED' })
  })

  test('where no record tells, the id of the topic does', async () => {
    const state = stateOf()
    const empty = new PlainLog([null, null], 'first')
    // it starts at the end, and has read nothing
    const positions = await startPositions(empty.log, empty.assignment(), state, null, { ...EARLIEST, start: 'latest' })
    for (const [partition, offset] of positions) state.positions.advance(partition, offset)
    expect(positions).toEqual(new Map([[0, 2]]))
    const recreated = new PlainLog(values('x', 'y', 'z'), 'second')
    await expect(again(recreated, state)).rejects.toMatchObject({ code: 'TOPIC_RECREATED', place: `${TOPIC}-0` })
  })

  test('a copy that was put back record by record may stay, though its topic has another id', async () => {
    const state = await readAll(new PlainLog(values('a', 'b'), 'first'))
    expect(await again(new PlainLog(values('a', 'b', 'c'), 'second'), state)).toEqual(new Map([[0, 2]]))
  })

  test('of a checkpoint without times, key and value tell', async () => {
    const state = stateOf()
    const { value, key } = record(1, 'b')
    const sha256 = recordSha256({ ...record(1, 'b'), key, value })
    state.restore(stateOf().snapshot(), { lastRecords: { 0: { offset: 1, sha256 } } })
    state.positions.advance(0, 2)
    expect(await again(new PlainLog(values('a', 'b')), state)).toEqual(new Map([[0, 2]]))
    const other = new PlainLog(values('a', 'x'))
    await expect(again(other, state)).rejects.toMatchObject({ code: 'TOPIC_RECREATED' })
  })

  test('what tells survives a checkpoint', async () => {
    const state = await readAll(new PlainLog(values('a', 'b')))
    const restored = stateOf()
    const { topicId } = state
    restored.restore(state.snapshot(), JSON.parse(JSON.stringify({ topicId, lastRecords: state.lastRecords() })))
    expect(restored.topicId).toBe('first')
    expect(restored.lastRecords()).toEqual(state.lastRecords())
    await expect(again(new PlainLog(values('a', 'x')), restored)).rejects.toMatchObject({ code: 'TOPIC_RECREATED' })
  })
})

describe('stream.start', () => {
  const checkpoint = { clusterId: 'cluster', topic: TOPIC } as Snapshot
  const log = new PlainLog(values('a', 'b', 'c'))
  const start = (state: StreamState, from: Snapshot | null, firstTotal: number) =>
    startPositions(log.log, log.assignment([0, 1]), state, from, { start: 'latest', acceptGap: false, firstTotal })

  test('is for the partitions that there were at the first start', async () => {
    expect(await start(stateOf(), null, 2)).toEqual(
      new Map([
        [0, 3],
        [1, 3],
      ]),
    )
  })

  test('a partition that appears while it runs is read from its beginning', async () => {
    expect(await start(stateOf(), null, 1)).toEqual(
      new Map([
        [0, 3],
        [1, 0],
      ]),
    )
  })

  test('a partition that appeared while it was stopped is read from its beginning', async () => {
    const state = stateOf()
    state.positions.advance(0, 2)
    expect(await start(state, checkpoint, 2)).toEqual(
      new Map([
        [0, 2],
        [1, 0],
      ]),
    )
  })
})
