import { constants, crc32, inflateRawSync } from 'node:zlib'
import { type Budget, damaged } from './budget.js'
import { Output } from './output.js'

/**
 * Unpacks gzip as Java's `GZIPInputStream` does: several members one after the other, and behind the last one anything
 * that is no member, which is left alone. Node's own gunzip refuses the latter.
 *
 * @throws KAFKA_BATCH_DAMAGED, KAFKA_BATCH_TOO_LARGE
 * @see RFC 1952
 */
export function gunzip(packed: Buffer, budget: Budget): Buffer {
  const output = new Output(budget, 4 * packed.length)
  let at = member(packed, 0, output, budget)
  for (let members = 1; packed.length - at > TRAILER_BYTES && headerEnd(packed, at) !== null; members++) {
    if (members === MAX_MEMBERS) throw damaged('it has too many gzip members')
    at = member(packed, at, output, budget)
  }
  return output.take()
}

/** Each costs a decoder of its own. A producer makes one. */
const MAX_MEMBERS = 1_000

const TRAILER_BYTES = 8
const HEADER_BYTES = 10
const DEFLATE = 8

/** Appends the contents of the member at `at`; returns its end. */
function member(packed: Buffer, at: number, output: Output, budget: Budget): number {
  const start = headerEnd(packed, at)
  if (start === null) throw damaged('it is not gzip')
  const { plain, consumed } = inflate(packed.subarray(start), output.room, budget)
  const trailer = start + consumed
  if (packed.length - trailer < TRAILER_BYTES) throw damaged('a gzip member is cut short')
  if (packed.readUInt32LE(trailer) !== crc32(plain) || packed.readUInt32LE(trailer + 4) !== plain.length % 2 ** 32)
    throw damaged('the checksum of a gzip member does not fit')
  output.append(plain)
  return trailer + TRAILER_BYTES
}

/** Where the deflated bytes begin; null if no whole header is. */
function headerEnd(packed: Buffer, from: number): number | null {
  if (packed.length - from < HEADER_BYTES) return null
  if (packed[from] !== 0x1f || packed[from + 1] !== 0x8b || packed[from + 2] !== DEFLATE) return null
  const flags = packed[from + 3]!
  let at = from + HEADER_BYTES
  if (flags & EXTRA) at += at + 2 <= packed.length ? 2 + packed.readUInt16LE(at) : 2
  for (const text of [NAME, COMMENT]) {
    if (!(flags & text)) continue
    const end = packed.indexOf(0, at)
    if (end === -1) return null
    at = end + 1
  }
  if (flags & HEADER_CRC) at += 2
  return at <= packed.length ? at : null
}

const HEADER_CRC = 2
const EXTRA = 4
const NAME = 8
const COMMENT = 16

/** One deflate stream and how many bytes of input it took. */
function inflate(packed: Buffer, room: number, budget: Budget): { plain: Buffer; consumed: number } {
  const chunkSize = Math.min(CHUNK, Math.max(constants.Z_MIN_CHUNK, 4 * packed.length))
  try {
    const options = { maxOutputLength: Math.max(1, room), chunkSize, info: true }
    const { buffer, engine } = inflateRawSync(packed, options) as unknown as Inflated
    return { plain: buffer, consumed: engine.bytesWritten }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw budget.exceeded()
    throw damaged('a gzip member cannot be unpacked')
  }
}

const CHUNK = 256 * 1024

/** What `info: true` makes of the answer; @types/node leaves it out. */
interface Inflated {
  readonly buffer: Buffer
  readonly engine: { readonly bytesWritten: number }
}
