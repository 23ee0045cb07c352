import { BehaviorSubject } from 'rxjs'
import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { PartitionReader } from '../../src/daemon/stream/partition-reader.js'
import { StreamState } from '../../src/daemon/stream/stream-state.js'
import { BcodError } from '../../src/errors.js'
import type { DeadLetter, FeedbackLog, RecordBatch, Unreadable } from '../../src/streams/source.js'
import { DeadLettered } from '../../src/telemetry/events/feedback.js'
import type { LifecycleState } from '../../src/telemetry/lifecycle.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'

const record = (offset: number, value: string) => ({
  ...{ topic: 'feedback', partition: 0, offset, timestamp: 0 },
  ...{ key: null, value: Buffer.from(value), headers: {} },
})

/** A batch of the offsets 10 to 19 that cannot be unpacked. */
const damaged: RecordBatch = {
  ...{ partition: 0, records: [], nextOffset: 20, logEnd: 30 },
  unreadable: {
    record: record(10, 'the batch as it is'),
    range: { lastOffset: 19, records: 10 },
    error: new BcodError('KAFKA_BATCH_DAMAGED', 'gzip'),
  },
}

/** Reading and letters of a daemon whose dead-letter topic acknowledges nothing by itself. */
function daemonParts() {
  const config = loadConfig({ env: {} })
  const telemetry = new Telemetry(createLogger('silent'), new Metrics())
  const ranges: Unreadable[] = []
  const state = new StreamState(config, () => {}, {
    write: () => new Promise(() => {}),
    acknowledged: ({ record }: DeadLetter) => state.positions.ack(record),
    failed: () => {},
  })
  const reader = new PartitionReader({
    ...{ config, telemetry, state, lifecycle$: new BehaviorSubject<LifecycleState>('running') },
    log: { topic: 'feedback' } as FeedbackLog,
    unreadable: (unreadable) => {
      const { record, range, error } = unreadable
      ranges.push(unreadable)
      state.deadLetters.push({ record, range, code: error.code, message: error.line, stage: 'unpack' })
    },
    ...{ pipelineFailed: () => false, checkpointsFail: () => false, decoded: () => {} },
  })
  return { reader, state, ranges }
}

test('a range that cannot be read is passed over once, and its first offset stays open until the letter is acknowledged', () => {
  const { reader, state, ranges } = daemonParts()
  const read: number[] = []
  reader.record$.subscribe(({ offset }) => read.push(offset))
  state.positions.advance(0, 10)
  reader.onBatch(damaged)
  reader.onBatch(damaged)
  reader.onBatch({ partition: 0, records: [record(20, 'after')], nextOffset: 21, logEnd: 30 })
  expect(ranges).toHaveLength(1)
  expect(read).toEqual([20])
  expect(state.positions.next(0)).toBe(21)
  expect(state.positions.committable().get(0)).toBe(10)
  state.positions.ack(damaged.unreadable!.record)
  expect(state.positions.committable().get(0)).toBe(20)
})

test('a checkpoint that is written before the acknowledgement brings the letter back, with its range, and its offset open', () => {
  const { reader, state } = daemonParts()
  state.positions.advance(0, 10)
  reader.onBatch(damaged)
  const restarted = daemonParts().state
  restarted.restore(state.snapshot())
  expect(restarted.deadLetters.snapshot().letters).toMatchObject([
    { code: 'KAFKA_BATCH_DAMAGED', record: { offset: 10 }, range: { lastOffset: 19, records: 10 } },
  ])
  expect(restarted.positions.next(0)).toBe(20)
  expect(restarted.positions.committable().get(0)).toBe(10)
})

test('one letter is counted, and as many unreadable records as the batch claims', async () => {
  const metrics = new Metrics()
  const telemetry = new Telemetry(createLogger('silent'), metrics)
  const { record, range, error } = damaged.unreadable!
  telemetry.emit(new DeadLettered(record, error.code, 'unpack', error.line, range))
  const text = await metrics.text()
  expect(text).toContain('bcod_dead_letters_total{code="KAFKA_BATCH_DAMAGED"} 1')
  expect(text).toContain('bcod_unreadable_records_total{code="KAFKA_BATCH_DAMAGED"} 10')
})
