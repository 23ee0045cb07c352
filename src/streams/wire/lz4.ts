import { type Budget, damaged } from './budget.js'
import { copyLiteral, copyMatch, Output } from './output.js'

/**
 * Unpacks an LZ4 frame as Kafka's `Lz4BlockInputStream` does: one frame of independent blocks, with or without sizes
 * and checksums; what stands behind its end mark is left alone. The checksums are not looked at: the batch has its own.
 *
 * @throws KAFKA_BATCH_DAMAGED, KAFKA_BATCH_TOO_LARGE
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Frame_format.md
 */
export function unlz4(packed: Buffer, budget: Budget): Buffer {
  if (packed.length < 7 || packed.readUInt32LE(0) !== MAGIC) throw damaged('it is not an LZ4 frame')
  const flags = packed[4]!
  const largest = MAX_BLOCK_BYTES[(packed[5]! >> 4) & 7]
  if (flags >> 6 !== VERSION || !(flags & INDEPENDENT) || largest === undefined)
    throw damaged('it is an LZ4 frame of a kind that Kafka does not know')
  const output = new Output(budget, 4 * packed.length)
  let at = 6 + (flags & CONTENT_SIZE ? 8 : 0) + 1
  for (;;) {
    if (packed.length - at < 4) throw damaged('an LZ4 frame is cut short')
    const word = packed.readUInt32LE(at)
    at += 4
    const size = word & ~PLAIN
    if (size === END) return output.take()
    if (size > largest || size > packed.length - at) throw damaged('an LZ4 block is longer than what is there')
    if (word & PLAIN) output.append(packed.subarray(at, at + size))
    else block(packed, at, at + size, output, largest, budget)
    at += size + (flags & BLOCK_CHECKSUMS ? 4 : 0)
  }
}

const MAGIC = 0x184d2204
const VERSION = 1
const INDEPENDENT = 0x20
const BLOCK_CHECKSUMS = 0x10
const CONTENT_SIZE = 0x08
const END = 0
/** Set in the length of a block that is not compressed. */
const PLAIN = 0x80000000 | 0
const MAX_BLOCK_BYTES = [undefined, undefined, undefined, undefined, 65_536, 262_144, 1_048_576, 4_194_304] as const

/**
 * Appends what a block holds.
 *
 * @see https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md
 */
function block(packed: Buffer, from: number, to: number, output: Output, largest: number, budget: Budget): void {
  output.reserve(largest)
  const { bytes, length: start } = output
  const end = Math.min(bytes.length, start + largest)
  const full = () =>
    end < start + largest ? budget.exceeded() : damaged('an LZ4 block is longer than its frame allows')
  const cutShort = () => damaged('an LZ4 block is cut short')
  let at = from
  let out = start
  for (;;) {
    if (at >= to) throw cutShort()
    const token = packed[at++]!
    let literals = token >> 4
    if (literals === 15)
      for (let more = 255; more === 255; literals += more) {
        if (at >= to) throw cutShort()
        more = packed[at++]!
      }
    if (literals > to - at) throw cutShort()
    if (literals > end - out) throw full()
    copyLiteral(packed, at, bytes, out, literals)
    at += literals
    out += literals
    // the last sequence has literals alone
    if (at === to) break
    if (to - at < 2) throw cutShort()
    const offset = packed[at]! | (packed[at + 1]! << 8)
    at += 2
    let length = (token & 15) + 4
    if ((token & 15) === 15)
      for (let more = 255; more === 255; length += more) {
        if (at >= to) throw cutShort()
        more = packed[at++]!
      }
    if (offset === 0 || offset > out - start) throw damaged('an LZ4 match begins before its block')
    if (length > end - out) throw full()
    copyMatch(bytes, out, offset, length)
    out += length
  }
  output.length = out
}
