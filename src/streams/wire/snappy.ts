import { type Budget, damaged } from './budget.js'
import { copyLiteral, copyMatch, Output } from './output.js'

/** `snappy-java`'s own stream: this magic, two versions, then blocks with their length before them. */
const MAGIC = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00])
const MAGIC_HEAD = MAGIC.readInt32BE(0)
const HEADER_BYTES = 16

/**
 * Unpacks snappy as `snappy-java` does: its stream, as Java and Python send it, also several of them one after the
 * other; or one bare block, as librdkafka and Go send it.
 *
 * @throws KAFKA_BATCH_DAMAGED, KAFKA_BATCH_TOO_LARGE
 */
export function unsnappy(packed: Buffer, budget: Budget): Buffer {
  const output = new Output(budget, 4 * packed.length)
  if (!isHeader(packed, 0)) {
    block(packed, 0, packed.length, output, budget)
    return output.take()
  }
  let at = HEADER_BYTES
  // fewer than four bytes at the end are ignored
  while (packed.length - at >= 4) {
    const size = packed.readInt32BE(at)
    if (size === MAGIC_HEAD) {
      if (packed.length - at < HEADER_BYTES) throw damaged('a snappy header is cut short')
      if (!isHeader(packed, at)) break
      at += HEADER_BYTES
      continue
    }
    at += 4
    if (size < 0 || size > packed.length - at) throw damaged('a snappy block is longer than what is there')
    block(packed, at, at + size, output, budget)
    at += size
  }
  return output.take()
}

const isHeader = (packed: Buffer, at: number): boolean =>
  packed.length - at >= HEADER_BYTES && packed.compare(MAGIC, 0, MAGIC.length, at, at + MAGIC.length) === 0

/**
 * Appends what a block holds. It declares its length, which is checked against the budget before anything is written.
 *
 * @see https://github.com/google/snappy/blob/main/format_description.txt
 */
function block(packed: Buffer, from: number, to: number, output: Output, budget: Budget): void {
  let at = from
  let declared = 0
  for (let shift = 0; ; shift += 7) {
    if (at >= to || shift > 28) throw damaged('the length of a snappy block is cut short')
    const byte = packed[at++]!
    declared += (byte & 0x7f) * 2 ** shift
    if (byte < 0x80) break
  }
  output.reserve(declared)
  if (declared > output.bytes.length - output.length) throw budget.exceeded()
  const { bytes, length: start } = output
  const end = start + declared
  let out = start
  while (at < to) {
    const tag = packed[at++]!
    const kind = tag & 3
    let length: number
    if (kind === LITERAL) {
      length = (tag >> 2) + 1
      const wide = length - 60
      if (wide > 0) {
        if (at + wide > to) throw damaged('a snappy literal is cut short')
        length = packed.readUIntLE(at, wide) + 1
        at += wide
      }
      if (length > to - at || length > end - out) throw damaged('a snappy literal is longer than what is there')
      copyLiteral(packed, at, bytes, out, length)
      at += length
      out += length
      continue
    }
    const wide = kind === 1 ? 1 : kind === 2 ? 2 : 4
    if (at + wide > to) throw damaged('a snappy copy is cut short')
    let offset: number
    if (kind === 1) {
      length = ((tag >> 2) & 7) + 4
      offset = ((tag >> 5) << 8) | packed[at]!
    } else {
      length = (tag >> 2) + 1
      offset = kind === 2 ? packed[at]! | (packed[at + 1]! << 8) : packed.readUInt32LE(at)
    }
    at += wide
    if (offset === 0 || offset > out - start) throw damaged('a snappy copy begins before its block')
    if (length > end - out) throw damaged('a snappy block is longer than it declares')
    copyMatch(bytes, out, offset, length)
    out += length
  }
  if (out !== end) throw damaged('a snappy block is shorter than it declares')
  output.length = end
}

const LITERAL = 0
