import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrainingEvent } from '../../src/events/types.js'
import { Batcher, type BatcherState } from '../../src/streams/batcher.js'
import { trainingEvent } from './events.js'

/** `u` and `d` arrive at times 0, 1, 2, … in the order of the text. */
function filled(arrivals: string, options: { size: number; maxLatency?: number; stratify?: boolean }): Batcher {
  const batcher = new Batcher({ maxLatency: 0, stratify: true, ...options })
  ;[...arrivals].forEach((class_, i) => {
    batcher.push(trainingEvent(i, class_ === 'u'), i)
  })
  return batcher
}

const offsets = (events: readonly TrainingEvent[] | null) => events?.map(({ position }) => position.offset)

test('is ready when a full batch waits', () => {
  const batcher = filled('udu', { size: 4 })
  expect(batcher.ready(1e12)).toBe(false)
  expect(batcher.take(1e12)).toBeNull()
  batcher.push(trainingEvent(3, true), 3)
  expect(offsets(batcher.take(3))).toEqual([0, 1, 2, 3])
})

test('a smaller batch is ready when its oldest event has waited for the latency', () => {
  const batcher = filled('ud', { size: 4, maxLatency: 50 })
  expect(batcher.deadline()).toBe(50)
  expect(batcher.take(49)).toBeNull()
  expect(offsets(batcher.take(50))).toEqual([0, 1])
  expect(batcher.deadline()).toBe(Number.POSITIVE_INFINITY)
})

test('takes half of each class when both wait, oldest first within a class', () => {
  expect(offsets(filled('uuuuuudd', { size: 4 }).take(9))).toEqual([0, 1, 6, 7])
})

test('comes as near to half and half as what waits allows', () => {
  expect(offsets(filled('uuuuud', { size: 4 }).take(9))).toEqual([0, 1, 2, 5])
  expect(offsets(filled('dddddd', { size: 4 }).take(9))).toEqual([0, 1, 2, 3])
})

test('the odd seat goes to the class that has waited longest', () => {
  expect(offsets(filled('duudud', { size: 3 }).take(9))).toEqual([0, 1, 3])
  expect(offsets(filled('duudud', { size: 1 }).take(9))).toEqual([0])
})

test('what has waited for the latency goes before the balance', () => {
  const batcher = filled('uuuuuudd', { size: 4, maxLatency: 10 })
  // At 12 the events of times 0, 1 and 2 are overdue.
  expect(offsets(batcher.take(12))).toEqual([0, 1, 2, 6])
})

test('without stratification the order of arrival is kept strictly', () => {
  expect(offsets(filled('uuuuuudd', { size: 4, stratify: false }).take(9))).toEqual([0, 1, 2, 3])
})

test('counts events and bytes until they are done', () => {
  const batcher = filled('udud', { size: 4 })
  const bytes = batcher.bytes
  const events = batcher.take(9)!
  expect([batcher.waiting, batcher.count, batcher.bytes]).toEqual([0, 4, bytes])
  batcher.acknowledge(events.slice(0, 1))
  expect([batcher.count, batcher.bytes]).toEqual([3, (3 / 4) * bytes])
  batcher.acknowledge(events)
  expect([batcher.count, batcher.bytes]).toEqual([0, 0])
})

test('saves what is taken but not done before what waits', () => {
  const batcher = filled('ddddu', { size: 2 })
  const taken = batcher.take(9)!
  expect(offsets(taken)).toEqual([0, 4])
  expect(offsets(batcher.snapshot().events)).toEqual([0, 4, 1, 2, 3])
  batcher.acknowledge(taken.slice(0, 1))
  expect(offsets(batcher.snapshot().events)).toEqual([4, 1, 2, 3])
})

test('every event is in exactly one batch, and a saved batcher that is restored gives the same batches', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom('u', 'd'), maxLength: 60 }),
      fc.record({
        size: fc.integer({ min: 1, max: 7 }),
        maxLatency: fc.constantFrom(0, 5),
        stratify: fc.boolean(),
      }),
      (arrivals, options) => {
        const original = filled(arrivals, options)
        const restored = new Batcher(options)
        restored.restore(decode(encode(original.snapshot())) as BatcherState)
        expect(restored.bytes).toBe(original.bytes)
        const seen: number[] = []
        for (let now = arrivals.length; original.count > 0; now++) {
          const events = original.takeRest(now)!
          expect(events.length).toBeLessThanOrEqual(options.size)
          expect(restored.takeRest(now)).toEqual(events)
          original.acknowledge(events)
          seen.push(...offsets(events)!)
        }
        expect(seen.sort((a, b) => a - b)).toEqual([...arrivals].map((_, i) => i))
      },
    ),
  )
})

test('what is put back goes first again, as if it had not been taken', () => {
  const batcher = filled('uuudud', { size: 4 })
  const [{ bytes }, taken] = [batcher, batcher.take(9)]
  batcher.release()
  expect(batcher).toMatchObject({ waiting: 6, count: 6, bytes })
  expect(batcher.take(9)).toEqual(taken)
  expect(offsets(batcher.takeRest(9))).toEqual([2, 4])
})
