import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrainingEvent } from '../../src/events/types.js'
import { Batcher, type BatcherOptions, type BatcherState } from '../../src/streams/batcher.js'
import { trainingEvent } from './events.js'

/** `u` and `d` arrive at times 0, 1, 2, … in the order of the text. */
function filled(arrivals: string, options: { size: number } & Partial<BatcherOptions>): Batcher {
  const batcher = new Batcher({ maxLatency: 0, stratify: true, lookAhead: 0, ...options })
  ;[...arrivals].forEach((class_, i) => {
    batcher.push(trainingEvent(i, class_ === 'u'), i)
  })
  return batcher
}

/** A product's vote: `a`, `b` and `c` are thumbs-up, `A`, `B` and `C` thumbs-down. */
const productVote = (offset: number, name: string): TrainingEvent => ({
  ...trainingEvent(offset, name === name.toLowerCase()),
  promptTokens: [...Array.from({ length: 40 }, (_, i) => name.toLowerCase().charCodeAt(0) * 1000 + i), offset],
})

/** As `filled`, of several products. */
function mixed(arrivals: string, options: { size: number } & Partial<BatcherOptions>): Batcher {
  const batcher = new Batcher({ maxLatency: 0, stratify: true, lookAhead: 64, ...options })
  ;[...arrivals].forEach((name, i) => {
    batcher.push(productVote(i, name), i)
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

test('votes of one product go together, those of its oldest', () => {
  const batcher = mixed('abbaba', { size: 3 })
  expect(offsets(batcher.take(9))).toEqual([0, 3, 5])
  expect(offsets(batcher.take(9))).toEqual([1, 2, 4])
})

test('the classes stay balanced, and the oldest of both goes', () => {
  expect(offsets(mixed('acbaBCAB', { size: 4 }).take(9))).toEqual([0, 2, 4, 6])
})

test('looks no further than it may', () => {
  expect(offsets(mixed('abbbaa', { size: 2, lookAhead: 4 }).take(9))).toEqual([0, 1])
  expect(offsets(mixed('abbbaa', { size: 2, lookAhead: 5 }).take(9))).toEqual([0, 4])
})

test('in order of arrival nothing is chosen', () => {
  expect(offsets(mixed('abbaba', { size: 3, stratify: false }).take(9))).toEqual([0, 1, 2])
})

test('out of more than a batch of overdue ones the oldest goes, and those like it', () => {
  const batcher = mixed('aBbAaAba', { size: 4, maxLatency: 10 })
  // at 15 the events of times 0 to 5 are overdue
  expect(offsets(batcher.take(15))).toEqual([0, 3, 4, 5])
})

test('nothing overdue waits while a batch has room for all that is', () => {
  const batcher = mixed('abaaaaaa', { size: 4, maxLatency: 10 })
  // at 12 the events of times 0, 1 and 2 are overdue
  expect(offsets(batcher.take(12))).toEqual([0, 1, 2, 3])
})

test('once among the oldest that are looked at, an event trains after at most that many batches with one of its class', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'A', 'B', 'C'), maxLength: 8 }), { maxLength: 40 }),
      fc.record({
        size: fc.integer({ min: 1, max: 5 }),
        lookAhead: fc.integer({ min: 1, max: 6 }),
        maxLatency: fc.constantFrom(0, 3),
      }),
      (arrivals, options) => {
        const batcher = mixed('', options)
        /** Of each waiting event, how many batches it has seen go since it was among the oldest. */
        const seen = new Map<TrainingEvent, number>()
        const waiting: TrainingEvent[] = []
        const step = (now: number) => {
          const near = waiting.slice(0, options.lookAhead)
          const batch = batcher.takeRest(now)
          if (batch === null) return
          batcher.acknowledge(batch)
          for (const event of near)
            if (batch.some(({ label }) => label === event.label)) seen.set(event, (seen.get(event) ?? 0) + 1)
          for (const event of near) expect(seen.get(event) ?? 0).toBeLessThanOrEqual(options.lookAhead)
          for (const event of batch) waiting.splice(waiting.indexOf(event), 1)
        }
        let count = 0
        arrivals.forEach((names, now) => {
          for (const name of names) {
            const event = productVote(count++, name)
            waiting.push(event)
            batcher.push(event, now)
          }
          step(now)
        })
        while (batcher.waiting > 0) step(arrivals.length)
        expect(waiting).toEqual([])
      },
    ),
  )
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
      fc.string({ unit: fc.constantFrom('a', 'b', 'A', 'B'), maxLength: 60 }),
      fc.record({
        size: fc.integer({ min: 1, max: 7 }),
        maxLatency: fc.constantFrom(0, 5),
        stratify: fc.boolean(),
        lookAhead: fc.constantFrom(0, 4),
      }),
      (arrivals, options) => {
        const original = mixed(arrivals, options)
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

test('what is put back is chosen again', () => {
  for (const maxLatency of [0, 2]) {
    const batcher = mixed('abABbaBAab', { size: 4, lookAhead: 8, maxLatency })
    const taken = batcher.take(9)
    batcher.release()
    expect(batcher.take(9)).toEqual(taken)
  }
})
