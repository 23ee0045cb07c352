import { BcodError } from '../../errors.js'
import type { Serializable } from '../../events/types.js'
import { KeyHash } from './key-hash.js'

export interface BoundedMapState {
  /** 64-bit hashes of the keys, 8 bytes each, little-endian, oldest first. */
  readonly hashes: Uint8Array
  /** One byte for each key. */
  readonly values: Uint8Array
}

/**
 * Remembers one byte for each of the last `capacity` keys, oldest forgotten first; 26 bytes a key at most, allocated at
 * once; a capacity of 0 remembers nothing. Keys are known by a 64-bit hash alone (see KeyHash for the odds). A known key keeps its age.
 */
export class BoundedMap implements Serializable<BoundedMapState> {
  private readonly hash = new KeyHash()
  /** Ring of [low, high] of the keys, in the order of their arrival. */
  private readonly hashes: Uint32Array
  private readonly values: Uint8Array
  /** Open addressing with linear probing: 1 + place in the ring, 0 if free. At most half full. */
  private readonly index: Uint32Array
  private oldest = 0
  private count = 0

  constructor(private readonly capacity: number) {
    if (!(Number.isSafeInteger(capacity) && capacity >= 0 && capacity <= 2 ** 30)) {
      throw new BcodError('INTERNAL', 'capacity of a bounded map is out of range')
    }
    this.hashes = new Uint32Array(2 * capacity)
    this.values = new Uint8Array(capacity)
    this.index = new Uint32Array(2 ** Math.ceil(Math.log2(Math.max(1, 2 * capacity))))
  }

  get size(): number {
    return this.count
  }

  get(key: string): number | undefined {
    this.hash.of(key)
    const place = this.index[this.slotOf(this.hash.low, this.hash.high)]!
    return place === 0 ? undefined : this.values[place - 1]
  }

  /**
   * Adds bits to the key's byte.
   *
   * @param bits 1..255
   * @return what the byte was before; 0 for a key that is not known
   */
  merge(key: string, bits: number): number {
    if (this.capacity === 0) return 0
    const { low, high } = this.hash.of(key)
    return this.put(low, high, bits)
  }

  snapshot(): BoundedMapState {
    const hashes = new Uint32Array(2 * this.count)
    const values = new Uint8Array(this.count)
    const untilEnd = Math.min(this.count, this.capacity - this.oldest)
    hashes.set(this.hashes.subarray(2 * this.oldest, 2 * (this.oldest + untilEnd)))
    hashes.set(this.hashes.subarray(0, 2 * (this.count - untilEnd)), 2 * untilEnd)
    values.set(this.values.subarray(this.oldest, this.oldest + untilEnd))
    values.set(this.values.subarray(0, this.count - untilEnd), untilEnd)
    return { hashes: new Uint8Array(hashes.buffer), values }
  }

  /** Where the state holds more than the capacity, the newest are kept. */
  restore({ hashes, values }: BoundedMapState): void {
    this.index.fill(0)
    this.oldest = 0
    this.count = 0
    const words = new Uint32Array(new Uint8Array(hashes).buffer)
    for (let i = Math.max(0, values.length - this.capacity); i < values.length; i++) {
      this.put(words[2 * i]!, words[2 * i + 1]!, values[i]!)
    }
  }

  private put(low: number, high: number, bits: number): number {
    let slot = this.slotOf(low, high)
    const known = this.index[slot]!
    if (known !== 0) {
      const before = this.values[known - 1]!
      this.values[known - 1] = before | bits
      return before
    }
    if (this.count === this.capacity) {
      this.forgetOldest()
      slot = this.slotOf(low, high)
    }
    const place = (this.oldest + this.count) % this.capacity
    this.hashes[2 * place] = low
    this.hashes[2 * place + 1] = high
    this.values[place] = bits
    this.index[slot] = place + 1
    this.count += 1
    return 0
  }

  /** The slot of the key, or the free one for it. */
  private slotOf(low: number, high: number): number {
    const { hashes, index } = this
    const mask = index.length - 1
    let slot = low & mask
    for (let place = index[slot]!; place !== 0; place = index[slot]!) {
      if (hashes[2 * place - 2] === low && hashes[2 * place - 1] === high) break
      slot = (slot + 1) & mask
    }
    return slot
  }

  private forgetOldest(): void {
    const { hashes, index } = this
    const mask = index.length - 1
    let free = this.slotOf(hashes[2 * this.oldest]!, hashes[2 * this.oldest + 1]!)
    // Entries after the gap move into it unless that would put them before their home (Knuth 6.4, algorithm R).
    for (let slot = (free + 1) & mask; index[slot] !== 0; slot = (slot + 1) & mask) {
      const home = hashes[2 * index[slot]! - 2]! & mask
      if (((slot - home) & mask) < ((slot - free) & mask)) continue
      index[free] = index[slot]!
      free = slot
    }
    index[free] = 0
    this.oldest = (this.oldest + 1) % this.capacity
    this.count -= 1
  }
}
