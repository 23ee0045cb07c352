import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  DeadLetterQueue,
  type DeadLetterQueueOptions,
  type DeadLetterQueueState,
} from '../../src/streams/dead-letter-queue.js'
import type { DeadLetterSegments } from '../../src/streams/dead-letter-segments.js'
import { headersOf } from '../../src/streams/kafka/records.js'
import type { DeadLetter } from '../../src/streams/source.js'
import { until } from '../support/kafka-reading.js'

const letter = (offset: number): DeadLetter => ({
  record: { topic: 'feedback', partition: 0, offset, timestamp: 0, key: null, value: null, headers: {} },
  ...{ code: 'FEEDBACK_INVALID', message: 'data.label: expected boolean', stage: 'validate' },
})
const letters = (from: number, count: number) => Array.from({ length: count }, (_, i) => letter(from + i))
const offsets = (of: readonly DeadLetter[]) => of.map(({ record }) => record.offset)
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)

/** A dead-letter topic that answers when it is told to. */
class Topic {
  readonly written: (readonly DeadLetter[])[] = []
  readonly acknowledged: number[] = []
  readonly failures: number[] = []
  readonly #pending: { resolve: () => void; reject: (error: Error) => void }[] = []
  readonly options: Omit<DeadLetterQueueOptions, 'capacity'> = {
    write: (letters) => {
      this.written.push(letters)
      return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }))
    },
    acknowledged: ({ record }) => this.acknowledged.push(record.offset),
    failed: (_, waiting) => this.failures.push(waiting),
    retryDelay: 1,
  }

  async answers(outcome: 'ok' | 'down'): Promise<void> {
    await until(() => this.#pending.length > 0)
    const { resolve, reject } = this.#pending.shift()!
    if (outcome === 'ok') resolve()
    else reject(new Error('down'))
    await new Promise((resolve) => setTimeout(resolve))
  }
}

test('a letter is acknowledged once the topic has it, and is in the state until then', async () => {
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 10, ...topic.options })
  queue.push(letter(7))
  expect(topic.written.map(offsets)).toEqual([[7]])
  expect([topic.acknowledged, queue.size, queue.snapshot().letters.map(({ record }) => record.offset)]).toEqual([
    [],
    1,
    [7],
  ])
  await topic.answers('ok')
  expect([topic.acknowledged, queue.size, queue.snapshot().letters]).toEqual([[7], 0, []])
})

test('letters that come while others are written follow in order, at most 100 at once', async () => {
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 1000, ...topic.options })
  for (const each of letters(0, 250)) queue.push(each)
  for (let i = 0; i < 4; i++) await topic.answers('ok')
  expect(topic.written.map(({ length }) => length)).toEqual([1, 100, 100, 49])
  expect(topic.acknowledged).toEqual(numbers(250))
})

test('while the topic is down the same letters are tried again, first to last', async () => {
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 10, ...topic.options })
  for (const each of letters(0, 3)) queue.push(each)
  await topic.answers('ok')
  await topic.answers('down')
  await topic.answers('down')
  await topic.answers('ok')
  expect(topic.written.map(offsets)).toEqual([[0], [1, 2], [1, 2], [1, 2]])
  expect(topic.failures).toEqual([2, 2])
  expect(topic.acknowledged).toEqual([0, 1, 2])
})

test('it is full at its capacity, and takes more all the same', () => {
  const queue = new DeadLetterQueue({ capacity: 2, ...new Topic().options })
  queue.push(letter(0))
  expect(queue.full).toBe(false)
  queue.push(letter(1))
  queue.push(letter(2))
  expect([queue.full, queue.size]).toEqual([true, 3])
})

test('letters go to a disk that has room again also while the topic is away, and reading may go on', async () => {
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 10, maxMemoryBytes: 300, ...topic.options })
  let isFull = true
  const onDisk: Uint8Array[] = []
  const segments = {
    append: (entry: Uint8Array) => {
      if (isFull) throw new Error('ENOSPC')
      onDisk.push(entry)
    },
    ...{ count: 0, bytes: 0, snapshot: () => [] },
  }
  queue.keepOn(segments as unknown as DeadLetterSegments)
  for (const each of letters(0, 4)) queue.push(each)
  queue.relieve()
  expect([queue.full, onDisk.length]).toEqual([true, 0])
  isFull = false
  queue.relieve()
  const kept = () => queue.snapshot().letters.map(({ record }) => record.offset)
  expect([queue.full, kept(), onDisk.length]).toEqual([false, [0], 3])
  // the one on its way stays where it is
  await topic.answers('ok')
  expect([topic.written.map(offsets), topic.acknowledged, kept()]).toEqual([[[0]], [0], []])
})

test('settling ends when all letters are out', async () => {
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 10, ...topic.options })
  queue.push(letter(0))
  const settled = queue.settle(10_000)
  await topic.answers('ok')
  await settled
  expect(queue.size).toBe(0)
})

test('settling gives up after its limit: what is not acknowledged stays in the state and is not written again', async () => {
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 10, ...topic.options })
  queue.push(letter(0))
  await queue.settle(30)
  await topic.answers('down')
  queue.push(letter(1))
  await new Promise((resolve) => setTimeout(resolve, 20))
  expect(topic.written.map(offsets)).toEqual([[0]])
  expect([queue.size, topic.failures]).toEqual([2, []])
})

test('a restored queue writes nothing before it is started', async () => {
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 10, ...topic.options })
  queue.push(letter(3))
  const restarted = new Topic()
  const again = new DeadLetterQueue({ capacity: 10, ...restarted.options })
  again.restore(queue.snapshot())
  expect(restarted.written).toEqual([])
  again.start()
  await restarted.answers('ok')
  expect(restarted.acknowledged).toEqual([3])
})

const bytes = fc.uint8Array({ maxLength: 20 })
const headerName = fc.oneof(
  fc.string({ maxLength: 8 }).filter((name) => !/^\d/.test(name)),
  fc.constantFrom('__proto__', 'constructor', 'toString', '1'),
)
const pairs = <T>(value: fc.Arbitrary<T>) =>
  fc.uniqueArray(fc.tuple(headerName, value), { selector: ([name]) => name, maxLength: 4 })
const anyLetter = fc
  .record({
    key: fc.option(bytes),
    value: fc.option(bytes),
    headers: pairs(bytes),
    rawHeaders: fc.option(pairs(fc.oneof(bytes, fc.array(bytes, { maxLength: 3 })))),
    offset: fc.maxSafeNat(),
  })
  // a name like an index is only in the headers as they came
  .map(({ headers, rawHeaders, ...rest }) => ({
    record: {
      ...{ topic: 'feedback', partition: 1, timestamp: 1_700_000_000_000, ...rest },
      headers: Object.fromEntries(headers.filter(([name]) => name !== '1')),
      ...(rawHeaders && { rawHeaders }),
    },
    ...{ code: 'FEEDBACK_INVALID', message: 'm', stage: 'decode' },
  }))

test('what a checkpoint keeps of letters comes back to the byte, whatever their headers are called', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(anyLetter, { minLength: 1, maxLength: 5 }), fc.boolean(), async (sent, fromBuffer) => {
      const queue = new DeadLetterQueue({ capacity: 10, ...new Topic().options })
      for (const each of sent) queue.push(each)
      const file = encode(queue.snapshot())
      const read = fromBuffer ? Buffer.from(file) : new Uint8Array(file)
      const topic = new Topic()
      const again = new DeadLetterQueue({ capacity: 10, ...topic.options })
      again.restore(decode(read) as DeadLetterQueueState)
      read.fill(0)
      again.start()
      expect(topic.written).toEqual([sent])
      await topic.answers('ok')
      expect(topic.acknowledged).toEqual(offsets(sent))
    }),
  )
})

test('letters of older checkpoints keep headers that are named like an index', async () => {
  const { record, ...reason } = letter(1)
  const headers = [
    ['1020', new Uint8Array([1])],
    ['a', new Uint8Array([2])],
  ] as const
  const topic = new Topic()
  const queue = new DeadLetterQueue({ capacity: 10, ...topic.options })
  queue.restore({ letters: [{ ...reason, record: { ...record, headers } }] })
  queue.start()
  expect(topic.written).toEqual([
    [{ ...reason, record: { ...record, headers: { a: new Uint8Array([2]) }, rawHeaders: headers } }],
  ])
  expect(headersOf(topic.written[0]![0]!.record)).toEqual({ 1020: Buffer.from([1]), a: Buffer.from([2]) })
})
