import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RECORD_BYTES } from '../../../src/streams/event-bytes.js'
import {
  type FetchedPartition,
  type Portion,
  type PortionOptions,
  portions,
} from '../../../src/streams/wire/portions.js'
import { HEADER_BYTES } from '../../../src/streams/wire/records.js'
import {
  APPEND_TIME,
  type BatchParts,
  batchOf,
  CODEC,
  CONTROL,
  encodeBatch,
  encodeRecord,
  encodeRecords,
  endMarker,
  type RecordParts,
  TRANSACTIONAL,
} from '../../support/record-batches.js'
import { runs } from '../../support/thorough.js'
import { usedBytes } from '../heap.js'

const LIMIT = 1 << 20

/** All that a fetch of these batches holds from an offset on. */
function read(
  batches: readonly Buffer[],
  from = 0,
  { aborted = [], ...options }: Partial<FetchedPartition & PortionOptions> = {},
): Portion[] {
  const bytes = Buffer.concat(batches)
  const fetched = { topic: 't', partition: 3, bytes, aborted, highWatermark: 1_000_000 }
  return [...portions(fetched, from, { maxBatchBytes: LIMIT, ...options })]
}

const values = (read: readonly Portion[]) =>
  read.flatMap(({ records }) => records.map(({ value }) => Buffer.from(value ?? []).toString()))
const offsets = (read: readonly Portion[]) => read.flatMap(({ records }) => records.map(({ offset }) => offset))
const ranges = (read: readonly Portion[]) =>
  read.flatMap(({ unreadable }) =>
    unreadable
      ? [[unreadable.error.code, unreadable.record.offset, unreadable.range.lastOffset, unreadable.range.records]]
      : [],
  )
const aborted = (producerId: number, firstOffset: number) => ({
  producerId: `${producerId}`,
  firstOffset: `${firstOffset}`,
})
const inTransaction = (producerId: number, baseOffset: number): BatchParts => ({
  ...{ producerId, baseOffset, attributes: TRANSACTIONAL },
})

test('a record comes out as it went in, whatever it holds', () => {
  const bytes = fc.option(fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each)))
  const record = fc.record({
    ...{ key: bytes, value: bytes, timestampDelta: fc.integer({ min: -1e9, max: 1e12 }) },
    headers: fc.array(fc.tuple(fc.string({ maxLength: 8 }), bytes), { maxLength: 6 }),
  })
  fc.assert(
    fc.property(fc.array(record, { minLength: 1, maxLength: 8 }), fc.nat(2 ** 40), (records, baseOffset) => {
      const [portion] = read([encodeBatch(encodeRecords(records), records.length, { baseOffset })], baseOffset)
      expect(portion?.nextOffset).toBe(baseOffset + records.length)
      expect(portion?.records.map(({ key, value, offset, timestamp }) => [key, value, offset, timestamp])).toEqual(
        records.map(({ key, value, timestampDelta }, i) => [
          ...[key, value, baseOffset + i, 1_700_000_000_000 + timestampDelta],
        ]),
      )
      portion?.records.forEach((read, i) => {
        const last = new Map(records[i]!.headers.map(([name, value]) => [name, value ?? Buffer.alloc(0)]))
        const pairs = read.rawHeaders ?? Object.entries(read.headers)
        expect(new Map(pairs.map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]))).toEqual(last)
      })
    }),
  )
})

test('of a header that is there more than once the last value counts, and all are kept for a letter', () => {
  const header = (name: string, value: string) => [name, Buffer.from(value)] as const
  const headers = [header('a', '1'), header('__proto__', 'p'), header('a', '2'), header('b', '3'), header('a', '4')]
  const [portion] = read([encodeBatch(encodeRecord({ headers }), 1)])
  const { headers: last, rawHeaders } = portion!.records[0]!
  expect(Object.entries(last).map(([name, value]) => `${name}=${value}`)).toEqual(['a=4', '__proto__=p', 'b=3'])
  expect(rawHeaders!.map(([name, value]) => `${name}=${value}`)).toEqual(['a=1,2,4', '__proto__=p', 'b=3'])
})

test('a header that is named like an index is kept for a letter, in its place', () => {
  const header = (name: string, value: string) => [name, Buffer.from(value)] as const
  const headers = [header('a', '1'), header('2500', '2'), header('b', '3'), header('0', '4'), header('2500', '5')]
  const [portion] = read([encodeBatch(encodeRecord({ headers }), 1)])
  const { headers: named, rawHeaders } = portion!.records[0]!
  expect(Object.entries(named).map(([name, value]) => `${name}=${value}`)).toEqual(['a=1', 'b=3'])
  expect(rawHeaders!.map(([name, value]) => `${name}=${value}`)).toEqual(['a=1', '2500=2,5', 'b=3', '0=4'])
})

test.each(['a,b', '1020', '1020,2500', '0,1020,2500,4990', 'a,1020,2500', 'a,a', '7,7,7'])(
  'a batch takes no more memory than it is charged for, whatever its headers are called: %s',
  (names) => {
    const headers = names.split(',').map((name) => [name, null] as const)
    const count = 8_000
    const batch = encodeBatch(encodeRecords(Array.from({ length: count }, () => ({ headers }))), count)
    const before = usedBytes()
    const found = read([batch], 0, { maxBatchBytes: 32 * LIMIT })
    const taken = usedBytes() - before
    expect(offsets(found)).toHaveLength(count)
    expect(taken).toBeLessThan(count * (RECORD_BYTES + HEADER_BYTES * headers.length) + batch.length)
  },
)

test('where the broker stamps the batch, its time is that of all records', () => {
  const batch = batchOf(['a', 'b'], { attributes: APPEND_TIME, maxTimestamp: 1_800_000_000_000 })
  expect(read([batch])[0]?.records.map(({ timestamp }) => timestamp)).toEqual([1_800_000_000_000, 1_800_000_000_000])
})

test('batches that follow each other are one portion, until they fill it', () => {
  const batches = [batchOf(['a', 'b']), batchOf(['c'], { baseOffset: 2 }), batchOf(['d'], { baseOffset: 3 })]
  expect(read(batches)).toMatchObject([{ nextOffset: 4, records: { length: 4 } }])
  expect(read(batches, 0, { portionBytes: 1 }).map(({ nextOffset }) => nextOffset)).toEqual([2, 3, 4])
})

test.each([
  ['20,000 records without a value', 20_000, 0],
  ['20 records of 1 MB', 20, 2 ** 20],
])('a batch of %s is handed on in parts, of which each can be read on from', (_, count, bytes) => {
  const records = encodeRecords(Array.from({ length: count }, () => ({ value: Buffer.alloc(bytes) })))
  const batch = encodeBatch(records, count, { baseOffset: 50 })
  const found = read([batch], 50, { maxBatchBytes: 2 ** 25 })
  expect(offsets(found)).toEqual(Array.from({ length: count }, (_, i) => 50 + i))
  expect(found.map(({ nextOffset }) => nextOffset)).toEqual(found.map(({ records }) => records.at(-1)!.offset + 1))
  expect(found.map(({ isPart }) => isPart)).toEqual([...Array(found.length - 1).fill(true), undefined])
  expect(Math.max(...found.map(({ records }) => records.length))).toBeLessThan(700)
  const [third] = read([batch], found[1]!.nextOffset, { maxBatchBytes: 2 ** 25 })
  const [again, before] = [third!.records[0]!, found[2]!.records[0]!]
  expect(again.offset).toBe(before.offset)
  // compared as bytes: a matcher goes through a megabyte one number at a time
  expect(Buffer.compare(again.value ?? Buffer.of(), before.value ?? Buffer.of())).toBe(0)
})

test('records before the offset that was asked for are passed over', () => {
  const found = read([batchOf(['a', 'b', 'c'], { baseOffset: 10 })], 11)
  expect([values(found), found[0]?.nextOffset]).toEqual([['b', 'c'], 13])
})

test('the beginning of a batch at the end of a fetch is left for the next one', () => {
  const [whole, partial] = [batchOf(['a']), batchOf(['b', 'c'], { baseOffset: 1 })]
  for (const length of [1, 8, 12, 16, 17, 61, partial.length - 1]) {
    const found = read([whole, partial.subarray(0, length)])
    expect([values(found), found.at(-1)?.nextOffset]).toEqual([['a'], 1])
  }
})

test('a batch that compaction has left without records moves the position', () => {
  const empty = encodeBatch(Buffer.alloc(0), 0, { baseOffset: 5, lastOffsetDelta: 4, producerId: 7 })
  const alone = read([empty], 5)
  expect(alone).toMatchObject([{ records: [], nextOffset: 10 }])
  const between = read([batchOf(['a'], { baseOffset: 4 }), empty, batchOf(['b'], { baseOffset: 12 })], 4)
  expect([values(between), offsets(between), between.at(-1)?.nextOffset]).toEqual([['a', 'b'], [4, 12], 13])
  // its codec stays in its attributes
  const packed = encodeBatch(Buffer.alloc(0), 0, { attributes: CODEC.zstd, lastOffsetDelta: 3 })
  expect(read([packed])).toMatchObject([{ records: [], nextOffset: 4 }])
})

test('compacted records keep their offsets, and the position goes behind the last one that the batch had', () => {
  const records = encodeRecords([{ offsetDelta: 1 }, { offsetDelta: 5 }])
  const found = read([encodeBatch(records, 2, { baseOffset: 20, lastOffsetDelta: 9 })], 20)
  expect([offsets(found), found[0]?.nextOffset]).toEqual([[21, 25], 30])
})

test('records of aborted transactions are left out, in whatever order the broker lists them', () => {
  // 1 begins first and ends last, so that the broker lists it last
  const log = [
    ...[
      batchOf(['a1'], inTransaction(1, 0)),
      batchOf(['a2'], inTransaction(2, 1)),
      batchOf(['c3'], inTransaction(3, 2)),
    ],
    ...[endMarker('abort', 2, 3), batchOf(['a1 again'], inTransaction(1, 4)), endMarker('commit', 3, 5)],
    ...[endMarker('abort', 1, 6), batchOf(['c1'], inTransaction(1, 7)), endMarker('commit', 1, 8)],
    ...[batchOf(['a1 later'], inTransaction(1, 9)), endMarker('abort', 1, 10), batchOf(['plain'], { baseOffset: 11 })],
  ]
  const listed = [aborted(2, 1), aborted(1, 0), aborted(1, 9)]
  const found = read(log, 0, { aborted: listed })
  expect([values(found), found.at(-1)?.nextOffset]).toEqual([['c3', 'c1', 'plain'], 12])
  // the same from the middle of a transaction on
  expect(values(read(log.slice(4), 4, { aborted: listed }))).toEqual(['c1', 'plain'])
})

test('a record is a marker by its batch alone: four zero bytes are anybody’s key', () => {
  const zero = Buffer.alloc(4)
  const records = encodeRecords([{ key: zero, value: Buffer.from('1') }, { value: Buffer.from('2') }])
  const log = [
    ...[encodeBatch(records, 2, inTransaction(1, 0)), batchOf(['3'], inTransaction(1, 2)), endMarker('abort', 1, 3)],
    encodeBatch(records, 2, { baseOffset: 4 }),
  ]
  expect(values(read(log, 0, { aborted: [aborted(1, 0)] }))).toEqual(['1', '2'])
})

test('an aborted transaction ends with its producer’s control batch, also where that cannot be read or has lost its record', () => {
  const control = { producerId: 1, baseOffset: 1, attributes: TRANSACTIONAL | CONTROL }
  for (const marker of [
    encodeBatch(Buffer.alloc(0), 0, { ...control, lastOffsetDelta: 0 }),
    encodeBatch(encodeRecord({ key: Buffer.alloc(2) }), 1, control),
    encodeBatch(Buffer.from([100]), 1, control),
  ]) {
    const found = read([batchOf(['no'], inTransaction(1, 0)), marker, batchOf(['yes'], inTransaction(1, 2))], 0, {
      aborted: [aborted(1, 0)],
    })
    expect(values(found)).toEqual(['yes'])
  }
  // a kind of control record that Kafka may have one day ends nothing
  const other = encodeBatch(encodeRecord({ key: Buffer.from([0, 0, 0, 9]) }), 1, control)
  const log = [batchOf(['no'], inTransaction(1, 0)), other, batchOf(['no'], inTransaction(1, 2))]
  expect(values(read(log, 0, { aborted: [aborted(1, 0)] }))).toEqual([])
})

test('behind a batch that may have been a marker, the broker’s next list decides', () => {
  const marker = endMarker('abort', 1, 1)
  const log = [
    batchOf(['no'], inTransaction(1, 0)),
    flipped(marker, marker.length - 1, 1),
    batchOf(['yes'], inTransaction(1, 2)),
  ]
  const found = read(log, 0, { aborted: [aborted(1, 0)] })
  expect([values(found), ranges(found), found.at(-1)?.nextOffset]).toEqual([[], [['KAFKA_BATCH_DAMAGED', 1, 1, 1]], 2])
  expect(values(read(log.slice(2), 2))).toEqual(['yes'])
})

test('an aborted batch is not even unpacked', () => {
  const garbage = encodeBatch(Buffer.from('garbage'), 1, {
    ...inTransaction(1, 0),
    attributes: TRANSACTIONAL | CODEC.gzip,
  })
  const found = read([garbage, endMarker('abort', 1, 1)], 0, { aborted: [aborted(1, 0)] })
  expect(found).toMatchObject([{ records: [], nextOffset: 2 }])
})

const good = (baseOffset: number) => batchOf(['good'], { baseOffset })
const record = (parts: RecordParts) => encodeRecord({ value: Buffer.from('v'), ...parts })
const flipped = (bytes: Buffer, at: number, by: number) => {
  const changed = Buffer.from(bytes)
  changed[at]! += by
  return changed
}

test.each<[string, Buffer]>([
  ['a checksum that does not fit', batchOf(['a', 'b'], { wrongBy: 1 })],
  ['garbage instead of records', encodeBatch(Buffer.from('garbage'), 2)],
  ['fewer records than it claims', encodeBatch(record({}), 2)],
  ['more records than it claims', encodeBatch(encodeRecords([{}, {}, {}]), 2)],
  ['more records than offsets', encodeBatch(encodeRecords([{}, {}, {}]), 3, { lastOffsetDelta: 1 })],
  ['offsets that repeat', encodeBatch(Buffer.concat([record({ offsetDelta: 1 }), record({ offsetDelta: 1 })]), 2)],
  ['an offset behind its last', encodeBatch(Buffer.concat([record({}), record({ offsetDelta: 2 })]), 2)],
  ['an offset before its first', encodeBatch(Buffer.concat([record({ offsetDelta: -1 }), record({})]), 2)],
  ['a negative number of headers', encodeBatch(Buffer.concat([record({}), record({ headerCount: -1 })]), 2)],
  ['more headers than bytes', encodeBatch(Buffer.concat([record({}), record({ headerCount: 2 ** 31 - 1 })]), 2)],
  ['a record that ends within a field', encodeBatch(Buffer.concat([record({}), flipped(record({}), 0, -2)]), 2)],
  [
    'a record with bytes behind its fields',
    encodeBatch(Buffer.concat([record({}), flipped(record({}), 0, 2), Buffer.alloc(1)]), 2),
  ],
  ['a length of six bytes', encodeBatch(Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), 2)],
  ['a version that is not there yet', batchOf(['a', 'b'], { magic: 3 })],
])('a batch with %s is one range, and those around it are read', (_, bad) => {
  const found = read([good(0), moved(bad, 1), good(3)], 0)
  expect(ranges(found)).toEqual([['KAFKA_BATCH_DAMAGED', 1, expect.any(Number), expect.any(Number)]])
  expect([offsets(found), found.at(-1)?.nextOffset]).toEqual([[0, 3], 4])
  const unreadable = found.find((each) => each.unreadable)?.unreadable
  expect(Buffer.compare(unreadable!.record.value as Buffer, moved(bad, 1))).toBe(0)
  expect(unreadable!.range.lastOffset).toBeLessThan(3)
})

/** The base offset is not under the checksum. */
function moved(batch: Buffer, baseOffset: number): Buffer {
  const changed = Buffer.from(batch)
  changed.writeBigInt64BE(BigInt(baseOffset), 0)
  return changed
}

test('a codec that Kafka does not have is told as such', () => {
  expect(ranges(read([batchOf(['a', 'b'], { attributes: 5 })]))).toEqual([['KAFKA_CODEC_UNKNOWN', 0, 1, 2]])
})

test('a range begins where reading stands, and its claims are bounded by what is known', () => {
  const bad = (parts: BatchParts) => batchOf(['a', 'b', 'c'], { wrongBy: 1, baseOffset: 10, ...parts })
  expect(ranges(read([bad({})], 11))).toEqual([['KAFKA_BATCH_DAMAGED', 11, 12, 2]])
  // the checksum guards the last offset: where it does not fit, the next batch tells, or the end of the log
  expect(ranges(read([bad({ lastOffsetDelta: 2 ** 31 - 1, count: -5 }), good(13)], 10))).toEqual([
    ['KAFKA_BATCH_DAMAGED', 10, 12, 0],
  ])
  // one that ends before the offset to read next takes nothing with it
  expect([ranges(read([bad({}), good(13)], 13)), offsets(read([bad({}), good(13)], 13))]).toEqual([[], [13]])
  const [last] = read([bad({ lastOffsetDelta: 2 ** 31 - 1 })], 10)
  expect(last?.nextOffset).toBe(1_000_000)
  expect(read([bad({ lastOffsetDelta: -(2 ** 31) })], 10)[0]?.nextOffset).toBe(11)
})

test('what takes more than the budget is one range: bytes, records and headers all count', () => {
  const small = { maxBatchBytes: 100_000 }
  const big = encodeBatch(encodeRecord({ value: Buffer.alloc(100_000) }), 1)
  const many = encodeBatch(encodeRecords(Array.from({ length: 300 }, () => ({}))), 300)
  const headers = Array.from({ length: 500 }, (_, i) => [`${i}`, null] as const)
  const wordy = encodeBatch(encodeRecord({ headers }), 1)
  for (const batch of [big, many, wordy])
    expect(ranges(read([batch], 0, small))).toEqual([
      ['KAFKA_BATCH_TOO_LARGE', 0, expect.any(Number), expect.any(Number)],
    ])
  expect(100_000 / RECORD_BYTES).toBeLessThan(300)
  expect(100_000 / HEADER_BYTES).toBeLessThan(500)
  expect(offsets(read([many], 0, { maxBatchBytes: 300 * RECORD_BYTES + many.length }))).toHaveLength(300)
})

test('a record with 20,000 headers is read', () => {
  const headers = Array.from({ length: 20_000 }, (_, i) => [`h${i}`, Buffer.from('v')] as const)
  const repeated = headers.map(([, value]) => ['retry', value] as const)
  const log = [
    encodeBatch(encodeRecord({ headers }), 1),
    encodeBatch(encodeRecord({ headers: repeated }), 1, { baseOffset: 1 }),
  ]
  const [first, second] = read(log, 0, { maxBatchBytes: 32 * LIMIT }).flatMap(({ records }) => records)
  expect(Object.keys(first!.headers)).toHaveLength(20_000)
  expect(new Map(second!.rawHeaders).get('retry')).toHaveLength(20_000)
})

test('bytes that do not hold the batch that was asked for are an error, not silence', () => {
  for (const bytes of [batchOf(['a']).subarray(0, 40), Buffer.alloc(100), good(0)])
    expect(() => read([bytes], 7)).toThrow(expect.objectContaining({ code: 'KAFKA_BATCH_DAMAGED', place: 't-3-7' }))
  expect(read([], 7)).toEqual([])
})

test('whoever stops asking has read as far as the last portion says', () => {
  const log = [batchOf(['a']), batchOf(['b'], { baseOffset: 1 }), batchOf(['c'], { baseOffset: 2 })]
  const bytes = Buffer.concat(log)
  const fetched = { topic: 't', partition: 0, bytes, aborted: [], highWatermark: 3 }
  const [first] = portions(fetched, 0, { maxBatchBytes: LIMIT, portionBytes: 1 })
  expect(first).toMatchObject({ nextOffset: 1, records: { length: 1 } })
})

test('whatever is done to the bytes of a fetch, every offset comes out once at most, and the position only rises', () => {
  const log = Buffer.concat([
    ...[batchOf(['a', 'b']), batchOf(['c'], inTransaction(1, 2)), endMarker('commit', 1, 3)],
    ...[encodeBatch(encodeRecord({ headers: [['h', Buffer.from('v')]] }), 1, { baseOffset: 4 }), good(5)],
  ])
  const change = fc.tuple(fc.nat(log.length - 1), fc.nat(255))
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), fc.nat(5), (changes, from) => {
      const bytes = Buffer.from(log)
      for (const [at, value] of changes) bytes[at] = value
      let next = from
      try {
        for (const portion of read([bytes], from)) {
          expect(portion.nextOffset).toBeGreaterThan(next)
          for (const { offset } of portion.records) expect(offset).toBeGreaterThanOrEqual(from)
          next = portion.nextOffset
        }
      } catch (error) {
        expect(error).toMatchObject({ code: 'KAFKA_BATCH_DAMAGED' })
      }
    }),
    { numRuns: runs(2_000) },
  )
})
