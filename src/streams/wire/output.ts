import type { Budget } from './budget.js'

const MIN_BYTES = 16 * 1024

/** Bytes that a decoder has written so far. It grows as far as the budget reaches. */
export class Output {
  bytes: Buffer = Buffer.alloc(0)
  length = 0

  /** @param expected  how much is likely to come */
  constructor(
    private readonly budget: Budget,
    private readonly expected: number,
  ) {}

  /** How much more the budget allows. */
  get room(): number {
    return this.budget.left - this.length
  }

  /**
   * Makes room in `bytes` for `size` more, or for as many as the budget still allows: a decoder stops at its end.
   * Bytes after `length` are undefined.
   */
  reserve(size: number): void {
    const needed = this.length + Math.min(size, this.room)
    if (needed <= this.bytes.length) return
    const wanted = Math.max(needed, 2 * this.bytes.length, this.expected, MIN_BYTES)
    const grown = Buffer.allocUnsafe(Math.min(this.budget.left, wanted))
    this.bytes.copy(grown, 0, 0, this.length)
    this.bytes = grown
  }

  /** Appends a part; the first is kept without copying it. @throws KAFKA_BATCH_TOO_LARGE */
  append(part: Buffer): void {
    if (part.length > this.room) throw this.budget.exceeded()
    if (this.length === 0) this.bytes = part
    else {
      this.reserve(part.length)
      this.bytes.set(part, this.length)
    }
    this.length += part.length
  }

  /** All of it; the budget is charged with it. */
  take(): Buffer {
    this.budget.spend(this.length)
    return this.bytes.subarray(0, this.length)
  }
}

/** Below it a loop is faster than a call. */
const SHORT = 32

/** Copies `length` bytes of `packed` into space that the decoder has reserved. */
export function copyLiteral(packed: Buffer, at: number, bytes: Buffer, out: number, length: number): void {
  if (length < SHORT) for (let i = 0; i < length; i++) bytes[out + i] = packed[at + i]!
  else packed.copy(bytes, out, at, at + length)
}

/** Writes again `length` bytes from `offset` before the end; what is written may be a part of what is copied. */
export function copyMatch(bytes: Buffer, out: number, offset: number, length: number): void {
  for (let i = 0; i < length; i++) bytes[out + i] = bytes[out - offset + i]!
}
