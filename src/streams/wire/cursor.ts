import { damaged } from './budget.js'

/**
 * Reads a batch from front to back. Nothing is read behind the end, and nothing is made that the bytes which are there
 * cannot fill: a length that claims more is damage.
 */
export class Cursor {
  constructor(
    readonly bytes: Buffer,
    public at = 0,
    public end = bytes.length,
  ) {}

  get left(): number {
    return this.end - this.at
  }

  byte(): number {
    if (this.at >= this.end) throw cutShort()
    return this.bytes[this.at++]!
  }

  /** A signed 32-bit number in 1 to 5 bytes (zigzag). */
  varint(): number {
    let byte = this.byte()
    let value = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 28) throw damaged('a number of a record is too long')
      byte = this.byte()
      value |= (byte & 0x7f) << shift
    }
    return (value >>> 1) ^ -(value & 1)
  }

  /** A signed 64-bit number in 1 to 10 bytes (zigzag), rounded beyond 2^53: it is a time. */
  varlong(): number {
    let byte = this.byte()
    const odd = byte & 1
    let value = byte & 0x7f
    for (let shift = 7; byte >= 0x80; shift += 7) {
      if (shift > 63) throw damaged('a number of a record is too long')
      byte = this.byte()
      value += (byte & 0x7f) * 2 ** shift
    }
    return odd ? -(value + 1) / 2 : value / 2
  }

  int8(): number {
    return (this.byte() << 24) >> 24
  }

  int32(): number {
    this.need(4)
    this.at += 4
    return this.bytes.readInt32BE(this.at - 4)
  }

  /** A signed 64-bit number, rounded beyond 2^53. */
  int64(): number {
    this.need(8)
    this.at += 8
    return int64At(this.bytes, this.at - 8)
  }

  /** So many bytes, not copied; null if the length is negative, which is how null is written. */
  slice(length: number): Buffer | null {
    if (length < 0) return null
    this.need(length)
    this.at += length
    return this.bytes.subarray(this.at - length, this.at)
  }

  /** So many bytes as text; a negative length is damage. */
  text(length: number): string {
    if (length < 0) throw damaged('the name of a header has a negative length')
    this.need(length)
    this.at += length
    return this.bytes.toString('utf8', this.at - length, this.at)
  }

  private need(length: number): void {
    if (length > this.end - this.at) throw cutShort()
  }
}

const cutShort = () => damaged('a record claims more bytes than are there')

/** A signed 64-bit number, rounded beyond 2^53. */
export const int64At = (bytes: Buffer, at: number): number =>
  bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)
