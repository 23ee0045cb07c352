import { expect, test } from 'vitest'
import { KeyHash } from '../../../src/streams/collections/key-hash.js'

/** From `vectors_hsip64` of the reference implementation: key 00 01 … 07, input 00 01 02 … of that many bytes. */
const VECTORS: readonly (readonly [bytes: number, hash: string])[] = [
  [0, '218d1f59b9b83cc8'],
  [2, '064f39ef7c50eb57'],
  [4, 'd5e78a175be52ea1'],
  [6, 'ce3e91358aa2bc25'],
  [8, 'edfee820bce4858c'],
  [62, 'f90b3ab572d46693'],
]

test('gives the published HalfSipHash-2-4 values', () => {
  const hash = new KeyHash(0x03020100, 0x07060504)
  for (const [bytes, expected] of VECTORS) {
    let key = ''
    for (let i = 0; i < bytes; i += 2) key += String.fromCharCode(i | ((i + 1) << 8))
    expect(hex(hash.of(key))).toBe(expected)
  }
})

test('hashes token ids as the bytes of their 32-bit words', () => {
  const hash = new KeyHash(0x03020100, 0x07060504)
  for (const [bytes, expected] of VECTORS.filter(([bytes]) => bytes % 4 === 0)) {
    const ids = Array.from({ length: bytes / 4 }, (_, i) => 4 * i + 0x03020100 + 4 * i * 0x01010100)
    expect(hex(hash.ofIds(ids))).toBe(expected)
  }
})

function hex({ low, high }: KeyHash): string {
  const out = Buffer.alloc(8)
  out.writeUInt32LE(low, 0)
  out.writeUInt32LE(high, 4)
  return out.toString('hex')
}

test('a fraction is at least 0 and below 1, and evenly spread', () => {
  const hash = new KeyHash(7)
  const bins = new Array<number>(10).fill(0)
  for (let i = 0; i < 10_000; i++) bins[Math.floor(hash.of(`key ${i}`).fraction * 10)]! += 1
  for (const count of bins) expect(Math.abs(count - 1_000)).toBeLessThan(150)
})
