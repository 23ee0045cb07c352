/** Packed bytes that no packer makes: handwritten frames, and runs that unpack to much. */

import { varint } from './record-batches.js'

/** The stream of snappy-java: its header, then each block with its length before it. */
export function xerial(blocks: readonly Buffer[]): Buffer {
  const header = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
  return Buffer.concat([header, ...blocks.flatMap((block) => [int32(block.length), block])])
}

/** A snappy block of `size` equal bytes. */
export function snappyRun(size: number): Buffer {
  const length = [(size & 0x7f) | 0x80, ((size >> 7) & 0x7f) | 0x80, ((size >> 14) & 0x7f) | 0x80, size >> 21]
  const copies = Array.from({ length: Math.floor((size - 1) / 64) }, () => [(63 << 2) | 2, 1, 0]).flat()
  const rest = (size - 1) % 64
  return Buffer.from([...length, 0, 32, ...copies, ...(rest > 0 ? [((rest - 1) << 2) | 2, 1, 0] : [])])
}

/** An LZ4 frame of `blocks` blocks, each of 4 MiB of equal bytes. */
export function lz4Run(blocks: number): Buffer {
  const more = Math.floor((4 * 2 ** 20 - 1 - 5 - 19) / 255)
  // one literal, a match on it, five literals at the end
  const block = Buffer.from([0x1f, 32, 1, 0, ...Array.from({ length: more }, () => 255), 0, 0x50, 32, 32, 32, 32, 32])
  const size = Buffer.alloc(4)
  size.writeUInt32LE(block.length)
  const header = Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x70, 0x73])
  return Buffer.concat([header, ...Array.from({ length: blocks }, () => [size, block]).flat(), Buffer.alloc(4)])
}

export interface ZstdBlock {
  /** 0 raw, 1 a run of one byte, 2 compressed. */
  readonly kind: number
  readonly size: number
  readonly bytes: Buffer
}

export const zstdRaw = (bytes: Buffer): ZstdBlock => ({ kind: 0, size: bytes.length, bytes })
export const zstdRun = (size: number): ZstdBlock => ({ kind: 1, size, bytes: Buffer.from([32]) })

/** The records of a batch of one, whose value is `bytes` times the same byte; a multiple of 128 KiB. */
export function zstdBomb(bytes: number): ZstdBlock[] {
  const head = Buffer.concat([Buffer.from([0, 0, 0, 1]), varint(bytes)])
  const beginning = Buffer.concat([varint(head.length + bytes + 1), head])
  const runs = Array.from({ length: bytes / 2 ** 17 }, () => zstdRun(2 ** 17))
  return [zstdRaw(beginning), ...runs, zstdRaw(Buffer.from([0]))]
}

/** A zstd frame (RFC 8878) of these blocks; its window is 128 KiB unless told otherwise. */
export function zstdFrame(
  blocks: readonly ZstdBlock[],
  { flags = 0, window = 0x38, fields = Buffer.alloc(0) }: { flags?: number; window?: number; fields?: Buffer } = {},
): Buffer {
  const all = blocks.length === 0 ? [zstdRaw(Buffer.alloc(0))] : blocks
  const encoded = all.flatMap(({ kind, size, bytes }, i) => {
    const header = Buffer.alloc(3)
    header.writeUIntLE((size << 3) | (kind << 1) | (i === all.length - 1 ? 1 : 0), 0, 3)
    return [header, bytes]
  })
  return Buffer.concat([Buffer.from([0x28, 0xb5, 0x2f, 0xfd, flags, window]), fields, ...encoded])
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
