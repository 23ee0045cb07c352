/**
 * HalfSipHash-2-4 with 64 bits of output (Aumasson and Bernstein, 2012; the 32-bit variant of 2016), over the UTF-16
 * code units of a string, low byte first. The result stays in `low` and `high`, unsigned, until
 * the next call, so that a million keys cost no allocation.
 *
 * Two of a million random keys are equal with a chance of 3e-8; a new key meets one of a million kept ones with 5e-14.
 * A client that knows the hash key can make two of its own keys collide in about 2^32 trials.
 */
export class KeyHash {
  low = 0
  high = 0
  private words = new Int32Array(256)

  constructor(
    private readonly key0 = 0,
    private readonly key1 = 0,
  ) {}

  of(key: string): this {
    const { length } = key
    const words = this.room(length >> 1)
    for (let i = 0; i < length >> 1; i++) words[i] = key.charCodeAt(2 * i) | (key.charCodeAt(2 * i + 1) << 16)
    return this.hash(words, length >> 1, ((2 * length) << 24) | (length & 1 ? key.charCodeAt(length - 1) : 0))
  }

  /** Of token ids below 2^32: the hash of a string that has two code units for each, the low one first. */
  ofIds(ids: readonly number[]): this {
    const words = this.room(ids.length)
    for (let i = 0; i < ids.length; i++) words[i] = ids[i]!
    return this.hash(words, ids.length, (4 * ids.length) << 24)
  }

  private room(words: number): Int32Array {
    if (words > this.words.length) this.words = new Int32Array(2 * words)
    return this.words
  }

  /** @param last  the bytes that fill no word, and the length's low byte above them */
  private hash(words: Int32Array, count: number, last: number): this {
    let v0 = this.key0 | 0
    let v1 = this.key1 ^ 0xee
    let v2 = this.key0 ^ 0x6c796765
    let v3 = this.key1 ^ 0x74656462
    const blocks = count + 1
    for (let block = 0; block < blocks + FINAL_BLOCKS; block++) {
      let word = 0
      let rounds = 2
      if (block < count) word = words[block]!
      else if (block === count) word = last
      else {
        rounds = 4
        if (block === blocks) v2 ^= 0xee
        else {
          this.low = (v1 ^ v3) >>> 0
          v1 ^= 0xdd
        }
      }
      v3 ^= word
      for (let round = 0; round < rounds; round++) {
        v0 = (v0 + v1) | 0
        v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0
        v0 = (v0 << 16) | (v0 >>> 16)
        v2 = (v2 + v3) | 0
        v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2
        v0 = (v0 + v3) | 0
        v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0
        v2 = (v2 + v1) | 0
        v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2
        v2 = (v2 << 16) | (v2 >>> 16)
      }
      v0 ^= word
    }
    this.high = (v1 ^ v3) >>> 0
    return this
  }

  /** The hash as a fraction, 0 ≤ f < 1. */
  get fraction(): number {
    return (this.high * 2 ** 21 + (this.low >>> 11)) / 2 ** 53
  }
}

/** Two blocks without input end the hash, one before each half of the result. */
const FINAL_BLOCKS = 2
