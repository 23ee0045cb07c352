import { readFileSync } from 'node:fs'
import * as zlib from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { expect, test } from 'vitest'
import { Budget } from '../../../src/streams/wire/budget.js'
import { crc32c } from '../../../src/streams/wire/crc32c.js'
import { unpack } from '../../../src/streams/wire/unpack.js'
import { lz4Run, snappyRun, xerial, zstdFrame, zstdRaw, zstdRun } from '../../support/packed.js'
import { CODEC } from '../../support/record-batches.js'
import { runs } from '../../support/thorough.js'

const LIMIT = 1 << 20
const unpacked = (codec: number, packed: Buffer, limit = LIMIT) => unpack(codec, packed, new Budget(limit))

test('the checksum is CRC-32C', () => {
  // RFC 3720, B.4
  expect(crc32c(Buffer.alloc(32))).toBe(0x8a9136aa)
  expect(crc32c(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
  expect(crc32c(Buffer.from(Array.from({ length: 32 }, (_, i) => i)))).toBe(0x46dd794e)
  // at any alignment and length
  const bytes = Buffer.from('.........123456789.....')
  expect(crc32c(bytes, 9, 18)).toBe(0xe3069283)
})

const TEXT = Buffer.from(JSON.stringify({ prompt: 'How do I get a refund?', label: true }).repeat(3))
const [A, B] = [TEXT.subarray(0, 50), TEXT.subarray(50)]
const SKIPPABLE = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
const { deflateSync, gzipSync } = zlib
const { gzip, snappy, lz4, zstd } = CODEC
const sizeOf = (bytes: Buffer) => {
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(bytes.length))
  return size
}

// a broker (Apache Kafka 4.4.0) takes all of these: tests/streams/kafka/codecs.test.ts
test.each<[string, number, Buffer]>([
  ['gzip', gzip, gzipSync(TEXT)],
  ['gzip in two members', gzip, Buffer.concat([gzipSync(A), gzipSync(B)])],
  ['gzip with bytes behind it', gzip, Buffer.concat([gzipSync(TEXT), Buffer.from('garbage')])],
  ['gzip with half a header behind it', gzip, Buffer.concat([gzipSync(TEXT), gzipSync(B).subarray(0, 6)])],
  ['gzip with an empty member', gzip, Buffer.concat([gzipSync(TEXT), gzipSync('')])],
  ['a bare snappy block', snappy, compressSync(TEXT)],
  ['framed snappy', snappy, xerial([compressSync(A), compressSync(B)])],
  ['framed snappy with an empty block', snappy, xerial([compressSync(''), compressSync(TEXT)])],
  ['two snappy streams', snappy, Buffer.concat([xerial([compressSync(A)]), xerial([compressSync(B)])])],
  ['framed snappy with three bytes behind it', snappy, Buffer.concat([xerial([compressSync(TEXT)]), Buffer.alloc(3)])],
  ['an LZ4 frame', lz4, compressFrameSync(TEXT)],
  ['an LZ4 frame with checksums', lz4, compressFrameSync(TEXT, { contentChecksum: true, blockChecksums: true })],
  ['an LZ4 frame with bytes behind it', lz4, Buffer.concat([compressFrameSync(TEXT), Buffer.from('garbage')])],
  ['a zstd frame', zstd, zstdFrame([zstdRaw(TEXT)])],
  ['two zstd frames', zstd, Buffer.concat([zstdFrame([zstdRaw(A)]), zstdFrame([zstdRaw(B)])])],
  ['a skippable zstd frame first', zstd, Buffer.concat([SKIPPABLE, zstdFrame([zstdRaw(TEXT)])])],
  ['a skippable zstd frame last', zstd, Buffer.concat([zstdFrame([zstdRaw(TEXT)]), SKIPPABLE])],
  ['an empty zstd frame first', zstd, Buffer.concat([zstdFrame([]), zstdFrame([zstdRaw(TEXT)])])],
  ['a zstd window of 128 MiB', zstd, zstdFrame([zstdRaw(TEXT)], { window: 17 << 3 })],
  ['a zstd dictionary of number 0', zstd, zstdFrame([zstdRaw(TEXT)], { flags: 1, fields: Buffer.from([0]) })],
  ['a zstd frame that states its size', zstd, zstdFrame([zstdRaw(TEXT)], { flags: 0xc0, fields: sizeOf(TEXT) })],
  ['a zstd block of no bytes', zstd, zstdFrame([zstdRaw(A), zstdRaw(Buffer.alloc(0)), zstdRaw(B)])],
])('%s', (_, codec, packed) => {
  expect(Buffer.compare(unpacked(codec, packed), TEXT)).toBe(0)
})

test.each<[string, number, Buffer]>([
  ['zlib instead of gzip', gzip, deflateSync(TEXT)],
  ['half a gzip member', gzip, gzipSync(TEXT).subarray(0, 40)],
  ['a gzip checksum that does not fit', gzip, changed(gzipSync(TEXT), -6)],
  ['gzip in 2,000 members', gzip, Buffer.concat(Array.from({ length: 2_000 }, () => gzipSync('')))],
  ['zstd in 2,000 frames', zstd, Buffer.concat(Array.from({ length: 2_000 }, () => zstdFrame([])))],
  ['nothing as gzip', gzip, Buffer.alloc(0)],
  ['nothing as snappy', snappy, Buffer.alloc(0)],
  ['nothing as LZ4', lz4, Buffer.alloc(0)],
  ['a snappy block that is cut short', snappy, compressSync(TEXT).subarray(0, 20)],
  ['a snappy copy from before its block', snappy, Buffer.from([8, 0, 65, 0b1_01, 9])],
  ['an LZ4 frame without its end', lz4, compressFrameSync(TEXT).subarray(0, -8)],
  ['an LZ4 frame of dependent blocks', lz4, changed(compressFrameSync(TEXT), 4, 0x40)],
  ['a zstd dictionary', zstd, zstdFrame([zstdRaw(TEXT)], { flags: 1, fields: Buffer.from([7]) })],
  ['half a zstd frame', zstd, zstdFrame([zstdRaw(TEXT)]).subarray(0, 30)],
  ['a zstd block of garbage', zstd, zstdFrame([{ kind: 2, size: 7, bytes: Buffer.from('garbage') }])],
])('%s is damage', (_, codec, packed) => {
  expect(() => unpacked(codec, packed)).toThrow(expect.objectContaining({ code: 'KAFKA_BATCH_DAMAGED' }))
})

const hasNativeZstd = 'zstdDecompressSync' in zlib

test.skipIf(hasNativeZstd)(
  'zstd whose blocks make fzstd move its window without end is damage, in many frames too',
  () => {
    const nothing = { kind: 2, size: 3, bytes: Buffer.from([1 << 3, 65, 0]) }
    const frame = zstdFrame(Array<typeof nothing>(1_500).fill(nothing), { window: 17 << 3 })
    expect(unpacked(zstd, frame)).toHaveLength(1_500)
    const frames = Buffer.concat([frame, frame, frame])
    expect(() => unpacked(zstd, frames)).toThrow(expect.objectContaining({ code: 'KAFKA_BATCH_DAMAGED' }))
  },
)

function changed(bytes: Buffer, at: number, value = bytes.at(at)! ^ 0xff): Buffer {
  const copy = Buffer.from(bytes)
  copy[at < 0 ? bytes.length + at : at] = value
  return copy
}

const ZSTD = readFileSync('tests/streams/wire/votes.zst')
const RUN = snappyRun(LIMIT)
const MEMBER = gzipSync(Buffer.alloc(16 * LIMIT))

// each of them unpacks to 2 GiB or more, which this process could not hold
test.each<[string, number, Buffer]>([
  ['gzip', gzip, Buffer.concat(Array.from({ length: 128 }, () => MEMBER))],
  ['one gzip member', gzip, MEMBER],
  ['snappy', snappy, xerial(Array.from({ length: 2048 }, () => RUN))],
  ['a snappy block that only claims', snappy, Buffer.from([0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0])],
  ['LZ4', lz4, lz4Run(512)],
  ['zstd', zstd, zstdFrame(Array.from({ length: 2 ** 14 }, () => zstdRun(2 ** 17)))],
  ['zstd in many frames', zstd, Buffer.concat(Array.from({ length: 2 ** 14 }, () => zstdFrame([zstdRun(2 ** 17)])))],
])('%s that unpacks to more than its budget is stopped on the way', (_, codec, packed) => {
  expect(() => unpacked(codec, packed)).toThrow(expect.objectContaining({ code: 'KAFKA_BATCH_TOO_LARGE' }))
})

test('a budget that is just enough is enough', () => {
  const plain = Buffer.alloc(100_000, 'abcdefg')
  for (const [codec, packed] of [
    ...[[CODEC.none, plain] as const, [gzip, gzipSync(plain)] as const, [snappy, compressSync(plain)] as const],
    ...[[lz4, compressFrameSync(plain)] as const, [zstd, zstdFrame([zstdRaw(plain)])] as const],
  ]) {
    expect(Buffer.compare(unpacked(codec, packed, plain.length), plain)).toBe(0)
    expect(() => unpacked(codec, packed, plain.length - 1)).toThrow(/it takes more than 99999 bytes/)
  }
})

test('what others have packed comes out to the byte', () => {
  const words = fc.array(fc.constantFrom('thumbs up ', 'thumbs down ', '{"label":', 'true}', '\u0000', 'x'), {
    maxLength: 4_000,
  })
  const plain = fc.oneof(
    words.map((each) => Buffer.from(each.join(''))),
    fc.uint8Array({ maxLength: 300 }).map(Buffer.from),
  )
  fc.assert(
    fc.property(plain, fc.nat(9), (bytes, level) => {
      const packed: [number, Buffer][] = [
        ...[[gzip, gzipSync(bytes, { level })] as [number, Buffer], [snappy, compressSync(bytes)] as [number, Buffer]],
        ...[[lz4, compressFrameSync(bytes)] as [number, Buffer]],
      ]
      for (const [codec, each] of packed) expect(Buffer.compare(unpacked(codec, each), bytes)).toBe(0)
    }),
    { numRuns: 200 },
  )
})

test('whatever is done to packed bytes, they unpack within the budget or are refused with a code', () => {
  const plain = Buffer.from('thumbs up, thumbs down, '.repeat(40))
  const packed: readonly (readonly [number, Buffer])[] = [
    ...[[gzip, gzipSync(plain)] as const, [snappy, compressSync(plain)] as const],
    ...[
      [snappy, xerial([compressSync(plain), compressSync(plain)])] as const,
      [lz4, compressFrameSync(plain)] as const,
    ],
    ...[[zstd, ZSTD] as const, [zstd, zstdFrame([zstdRaw(plain), zstdRun(5_000)])] as const],
  ]
  const change = fc.tuple(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), fc.nat(255))
  const cut = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(
      fc.constantFrom(...packed),
      fc.array(change, { maxLength: 5 }),
      fc.option(cut),
      ([codec, whole], changes, share) => {
        const bytes = Buffer.from(whole)
        for (const [at, value] of changes) bytes[Math.floor(at * bytes.length)] = value
        try {
          expect(
            unpacked(codec, bytes.subarray(0, Math.ceil(bytes.length * (share ?? 1))), 10_000).length,
          ).toBeLessThanOrEqual(10_000)
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^KAFKA_BATCH_(DAMAGED|TOO_LARGE)$/) })
        }
      },
    ),
    { numRuns: runs(3_000) },
  )
})

test('zstd of the reference implementation is read', () => {
  // `zstd -19 --check` 1.5.4 made it of this text, from a pipe
  const line = (i: number) => ({
    id: `vote-${(i * 7919) % 1000}`,
    prompt: `How do I get a refund? ${Math.round(Math.sin(i) * 1e6)}`,
    label: i % 3 !== 0,
  })
  const plain = Array.from({ length: 200 }, (_, i) => JSON.stringify(line(i))).join('\n')
  expect(unpacked(zstd, ZSTD).toString()).toBe(plain)
})
