import * as zlib from 'node:zlib'
import { Decompress } from 'fzstd'
import { type Budget, damaged } from './budget.js'
import { Output } from './output.js'

/**
 * Unpacks zstd as `zstd-jni`'s stream does: frames and skippable frames in any order, windows of up to 128 MiB. The
 * frames are walked here and unpacked one by one, by Node if it can (22.15 and newer), else by fzstd.
 *
 * @throws KAFKA_BATCH_DAMAGED, KAFKA_BATCH_TOO_LARGE
 * @see RFC 8878
 */
export function unzstd(packed: Buffer, budget: Budget): Buffer {
  const output = new Output(budget, 4 * packed.length)
  let frames = 0
  let moved = 0
  for (let at = 0; at < packed.length; ) {
    if (packed.length - at < 8) throw damaged('a zstd frame is cut short')
    const magic = packed.readUInt32LE(at)
    if ((magic & ~0xf) >>> 0 === SKIPPABLE) {
      at += 8 + packed.readUInt32LE(at + 4)
      if (at > packed.length) throw damaged('a zstd frame is cut short')
      continue
    }
    if (magic !== MAGIC) throw damaged('it is not a zstd frame')
    if (++frames > MAX_FRAMES) throw damaged('it has too many zstd frames')
    const frame = frameAt(packed, at)
    const bytes = packed.subarray(at, frame.end)
    if (native) withNode(native, bytes, output, budget)
    else moved = withFzstd(frame, bytes, output, budget, moved)
    at = frame.end
  }
  return output.take()
}

const MAGIC = 0xfd2fb528
const SKIPPABLE = 0x184d2a50
/** The default limit of the reference decoder. */
const MAX_WINDOW_BYTES = 2 ** 27
const MAX_BLOCK_BYTES = 128 * 1024
/** Each costs a decoder of its own. A producer makes one. */
const MAX_FRAMES = 1_000

/** A frame as described by its header and block headers. */
interface Frame {
  readonly end: number
  readonly window: number
  readonly blocks: number
  /** No more than this comes out of it. */
  readonly most: number
}

function frameAt(packed: Buffer, from: number): Frame {
  const cutShort = () => damaged('a zstd frame is cut short')
  const flags = packed[from + 4]!
  const single = (flags & SINGLE_SEGMENT) !== 0
  if (flags & RESERVED) throw damaged('a zstd frame has a reserved bit set')
  const idBytes = [0, 1, 2, 4][flags & 3]!
  const sizeBytes = [single ? 1 : 0, 2, 4, 8][flags >> 6]!
  let at = from + 5 + (single ? 0 : 1)
  if (at + idBytes + sizeBytes > packed.length) throw cutShort()
  if (idBytes > 0 && packed.readUIntLE(at, idBytes) !== 0) throw damaged('a zstd frame asks for a dictionary')
  at += idBytes
  const window = single ? contentSize(packed, at, sizeBytes) : windowOf(packed[from + 5]!)
  if (window > MAX_WINDOW_BYTES && !single) throw damaged('the window of a zstd frame is too large')
  at += sizeBytes
  let most = 0
  for (let blocks = 1; ; blocks++) {
    if (packed.length - at < 3) throw cutShort()
    const header = packed.readUIntLE(at, 3)
    const kind = (header >> 1) & 3
    const size = header >> 3
    if (kind > COMPRESSED || size > MAX_BLOCK_BYTES) throw damaged('a block of a zstd frame is damaged')
    most += kind === COMPRESSED ? MAX_BLOCK_BYTES : size
    at += 3 + (kind === RUN ? 1 : size)
    if (at > packed.length) throw cutShort()
    if (!(header & 1)) continue
    const end = at + (flags & CHECKSUM ? CHECKSUM_BYTES : 0)
    if (end > packed.length) throw cutShort()
    return { end, window, blocks, most }
  }
}

const SINGLE_SEGMENT = 0x20
const RESERVED = 0x08
const CHECKSUM = 0x04
const CHECKSUM_BYTES = 4
/** Kinds of blocks: one byte repeated, and those whose size is known once they are unpacked. */
const RUN = 1
const COMPRESSED = 2

function windowOf(descriptor: number): number {
  const base = 2 ** (10 + (descriptor >> 3))
  return base + (base / 8) * (descriptor & 7)
}

function contentSize(packed: Buffer, at: number, bytes: number): number {
  if (bytes === 8) return packed.readUInt32LE(at) + packed.readUInt32LE(at + 4) * 2 ** 32
  return packed.readUIntLE(at, bytes) + (bytes === 2 ? 256 : 0)
}

type Unpack = (packed: Uint8Array, options: { readonly maxOutputLength: number }) => Buffer

/** Node 22.15 has it; @types/node of Node 20 does not. */
const native = (zlib as unknown as { readonly zstdDecompressSync?: Unpack }).zstdDecompressSync

function withNode(unpack: Unpack, frame: Buffer, output: Output, budget: Budget): void {
  let plain: Buffer
  try {
    plain = unpack(frame, { maxOutputLength: Math.max(1, output.room) })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw budget.exceeded()
    throw damaged('a zstd frame cannot be unpacked')
  }
  output.append(plain)
}

/**
 * fzstd moves its whole window with each block. This much, over all frames of a batch, takes about a second, and no
 * producer comes near it.
 */
const MAX_MOVED_BYTES = 4 * 2 ** 30

/**
 * Block by block, so that it stops at the budget.
 *
 * @param moved  bytes that the frames before it have made fzstd move
 * @returns the same with this frame
 */
function withFzstd(
  { window, blocks, most }: Frame,
  frame: Buffer,
  output: Output,
  budget: Budget,
  moved: number,
): number {
  // fzstd allocates the window that a frame declares: what cannot come out of it need not be kept
  const needed = Math.min(window, most, Math.max(output.room, MAX_BLOCK_BYTES))
  const single = (frame[4]! & SINGLE_SEGMENT) !== 0
  if (single && window > output.room) throw budget.exceeded()
  const descriptor = Math.max(0, Math.ceil(Math.log2(Math.max(1, needed))) - 10) << 3
  const total = moved + blocks * (single ? window : windowOf(descriptor))
  if (total > MAX_MOVED_BYTES) throw damaged('it has too many zstd blocks for their windows')
  const bytes = single ? frame : Buffer.from(frame)
  if (!single) bytes[5] = descriptor
  let failure: unknown = null
  const stream = new Decompress((plain) => {
    try {
      output.append(Buffer.from(plain.buffer, plain.byteOffset, plain.byteLength))
    } catch (error) {
      failure = error
      throw error
    }
  })
  try {
    stream.push(bytes, true)
  } catch {
    throw failure ?? damaged('a zstd frame cannot be unpacked')
  }
  return total
}
