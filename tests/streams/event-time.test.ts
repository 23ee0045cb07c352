import { BehaviorSubject, Subject } from 'rxjs'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { PartitionReader } from '../../src/daemon/stream/partition-reader.js'
import { pipeline } from '../../src/daemon/stream/pipeline.js'
import { StreamState } from '../../src/daemon/stream/stream-state.js'
import type { LogRecord, Position, TimeCorrection } from '../../src/events/types.js'
import type { Assignment, FeedbackLog } from '../../src/streams/source.js'
import type { LifecycleState } from '../../src/telemetry/lifecycle.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'

const START = Date.UTC(2026, 0, 1)
const HOUR = 3_600_000
const PARTITIONS = 2

interface Cast {
  readonly subject: string
  readonly label: boolean | null
  readonly timestamp: number
  readonly partition?: number
  readonly appendTime?: true
}

/** Reading and stages of a daemon with a hold-back of 30 s, whose batches of one are taken at once, by a clock of the test's. */
class Reader {
  readonly trained: string[] = []
  readonly dropped: string[] = []
  readonly corrected: TimeCorrection[] = []
  readonly state: StreamState
  readonly reader: PartitionReader
  readonly #tick$ = new Subject<void>()
  readonly #demand$ = new Subject<void>()
  #now: number

  constructor(now: number) {
    this.#now = now
    const config = loadConfig({ env: {}, set: ['stream.holdBack=30s', 'batch.size=1'] })
    const clock = () => this.#now
    this.state = new StreamState(config, (event, reason) => this.#drop(event.position, reason), {
      ...{ write: async () => undefined, acknowledged: () => undefined, failed: () => undefined },
    })
    const none = () => undefined
    this.reader = new PartitionReader({
      ...{ config, state: this.state, log: { topic: 'feedback' } as FeedbackLog, now: clock },
      telemetry: new Telemetry(createLogger('silent'), new Metrics()),
      lifecycle$: new BehaviorSubject<LifecycleState>('running'),
      ...{ pipelineFailed: () => false, checkpointsFail: () => false, decoded: none, unreadable: none },
    })
    pipeline(this.reader.record$, {
      ...{ config, state: this.state, text: null, vocabSize: 300, maxLength: 96, now: clock, step: () => 0 },
      ...{ demand$: this.#demand$, flush$: new Subject(), paused$: new Subject(), tick$: this.#tick$ },
      ...{ received: none, framed: none, heldOut: none },
      timeCorrected: (reason) => this.corrected.push(reason),
      reject: (_, error) => {
        throw error
      },
      drop: (position, reason) => this.#drop(position, reason),
    }).subscribe((batch) => {
      for (const { subject, label } of batch) this.trained.push(`${subject} ${label ? 'up' : 'down'}`)
      this.state.batcher.acknowledge(batch)
      for (const { position } of batch) this.state.positions.ack(position)
    })
  }

  #drop(position: Position, reason: string): void {
    this.dropped.push(`${position.offset} ${reason}`)
    this.state.positions.ack(position)
  }

  async assigned(log: TestLog): Promise<this> {
    await this.reader.assigned(log.assignment(), null)
    return this
  }

  /** Reads up to `count` records of each partition at this time, as one fetch. */
  read(log: TestLog, now: number, count = Number.POSITIVE_INFINITY): this {
    this.#now = now
    for (let partition = 0; partition < PARTITIONS; partition++) {
      const from = this.state.positions.next(partition) ?? 0
      const records = log.of(partition).slice(from, from + count)
      const logEnd = log.of(partition).length
      this.reader.onBatch({ partition, records, nextOffset: from + records.length, logEnd })
    }
    return this.wait(now)
  }

  wait(now: number): this {
    this.#now = now
    this.#tick$.next()
    for (let left = this.state.batcher.waiting; left > 0; left--) this.#demand$.next()
    return this
  }
}

class TestLog {
  readonly #records: LogRecord[][] = Array.from({ length: PARTITIONS }, () => [])

  of(partition: number): readonly LogRecord[] {
    return this.#records[partition] as LogRecord[]
  }

  append(...casts: readonly Cast[]): this {
    for (const { subject, label, timestamp, partition = 0, appendTime } of casts) {
      const records = this.#records[partition] as LogRecord[]
      const tokens = label === null ? {} : { prompt_tokens: [1, 2], completion_tokens: [3] }
      const event = { specversion: '1.0', type: 'bcod.feedback.v1', source: 's', id: `${partition}-${records.length}` }
      const value = Buffer.from(JSON.stringify({ ...event, subject, data: { label, user: 'u', ...tokens } }))
      const at = { topic: 'feedback', partition, offset: records.length, timestamp, key: null, value, headers: {} }
      records.push({ ...at, ...(appendTime && { appendTime }) })
    }
    return this
  }

  assignment(): Assignment {
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => partition)
    const bounds = new Map(partitions.map((p) => [p, { start: 0, end: this.of(p).length }]))
    return { partitions, total: PARTITIONS, bounds, committed: new Map() }
  }
}

const up = (subject: string, timestamp: number, partition = 0): Cast => ({ subject, label: true, timestamp, partition })
const back = (subject: string, timestamp: number): Cast => ({ subject, label: null, timestamp })
const s = (seconds: number) => START + 1000 * seconds

describe("one producer's clock harms at most its own votes", () => {
  test.each([
    ['59 minutes ahead', s(0) + 59 * 60_000, 'ahead'],
    ['in the year 2100', Date.UTC(2100, 0, 1), 'ahead'],
    ['in microseconds', s(0) * 1000, 'ahead'],
    ['an hour back', s(0) - HOUR, 'back'],
    ['in seconds', s(0) / 1000, 'back'],
    ['at zero', 0, 'back'],
    ['without a time', -1, 'absent'],
  ] as const)(
    'a record dated %s has its own hold-back and leaves that of others alone',
    async (_, timestamp, reason) => {
      const log = new TestLog()
      const reader = await new Reader(s(-10)).assigned(log)
      reader.read(log, s(-1))
      reader.read(log.append(up('odd', timestamp)), s(0))
      reader.read(log.append(up('mine', s(1))), s(1))
      reader.read(log.append(back('mine', s(6))), s(6))
      expect(reader.trained).toEqual([])
      reader.wait(s(28))
      expect(reader.trained).toEqual([])
      reader.read(log, s(32))
      expect(reader.trained).toEqual(['odd up'])
      expect(reader.dropped).toEqual(['1 retracted', '2 retraction'])
      expect(reader.corrected).toEqual([reason])
      expect(reader.state.positions.committable().get(0)).toBe(3)
      expect(reader.state.watermark.at(s(32))).toBe(s(32))
    },
  )

  test('in a backlog as well: the change of a vote is found, whatever stands between, in either partition', async () => {
    const log = new TestLog()
    log.append(up('a', s(0)), up('ahead', s(0) + HOUR), up('a-too', s(1)), back('a', s(5)), up('late', s(6)))
    log.append(up('b', s(2), 1), up('ahead-1', s(0) + HOUR, 1))
    const reader = await new Reader(s(7200)).assigned(log)
    for (let fetched = 0; fetched < 5; fetched++) reader.read(log, s(7200 + fetched), 1)
    // everything is old, and is released once the backlog is read
    expect(reader.dropped).toEqual(['0 retracted', '3 retraction'])
    expect(reader.trained.toSorted()).toEqual(['a-too up', 'ahead up', 'ahead-1 up', 'b up', 'late up'])
  })

  test('small differences between clocks are not told', async () => {
    const log = new TestLog()
    const reader = await new Reader(s(0)).assigned(log)
    reader.read(log.append(up('a', s(4)), up('b', s(-3))), s(1))
    expect(reader.corrected).toEqual([])
  })
})

describe('a restart', () => {
  test('goes on by the times that were decided at reading', async () => {
    const log = new TestLog()
    const reader = await new Reader(s(-10)).assigned(log)
    reader.read(log.append(up('ahead', s(0) + HOUR), up('absent', -1)), s(0))
    const state = structuredClone(reader.state.snapshot())
    expect(state.held.held.map(({ timestamp }) => timestamp)).toEqual([s(0), s(0)])
    const restarted = new Reader(s(20))
    restarted.state.restore(state)
    await restarted.assigned(log)
    restarted.read(log, s(29))
    expect(restarted.trained).toEqual([])
    restarted.read(log, s(30))
    expect(restarted.trained).toEqual(['ahead up', 'absent up'])
  })

  test('after an outage gives no vote less time than it had', async () => {
    const log = new TestLog()
    const reader = await new Reader(s(-10)).assigned(log)
    reader.read(log.append(up('mine', s(0)), up('other', s(0), 1)), s(0))
    // an hour away; the change was written 20 s after the vote, behind records dated ahead
    log.append(up('x', s(5)), up('ahead', s(0) + 2 * HOUR), back('mine', s(20)), up('y', s(1800)))
    const restarted = new Reader(s(3600))
    restarted.state.restore(structuredClone(reader.state.snapshot()))
    await restarted.assigned(log)
    for (let fetched = 0; fetched < 4; fetched++) restarted.read(log, s(3600 + fetched), 1)
    expect(restarted.dropped).toEqual(['0 retracted', '3 retraction'])
    expect(restarted.trained.toSorted()).toEqual(['other up', 'x up', 'y up'].toSorted())
    // dated ahead: it counts as written when it was read
    restarted.read(log, s(3632))
    expect(restarted.trained).toContain('ahead up')
  })
})

test('where the broker stamps the records, a long backlog is released as it is read', async () => {
  const log = new TestLog()
  const stamped = (subject: string, seconds: number): Cast => ({ ...up(subject, s(seconds)), appendTime: true })
  log.append(stamped('a', 0), stamped('b', 10), stamped('c', 31), stamped('d', 90))
  const reader = new Reader(s(7200))
  await reader.assigned(log)
  reader.read(log, s(7200), 3)
  expect(reader.trained).toEqual(['a up'])
})
