import { createHash } from 'node:crypto'
import { expect, it } from 'vitest'
import { secretPrompts } from '../../src/serving/secret-prompts.js'

const seed = new Uint8Array(32).fill(7)

it('follow from the seed as SHA-256(seed, counter) says', () => {
  const digest = createHash('sha256')
    .update(seed)
    .update(Buffer.from([0, 0, 0, 0]))
    .digest()
  const first = Number(BigInt(`0x${digest.subarray(0, 6).toString('hex')}`) % 500n)
  expect(secretPrompts(seed, 500)[0]?.[0]).toBe(first)
  expect(secretPrompts(seed, 500)).toEqual(secretPrompts(seed, 500))
  expect(secretPrompts(new Uint8Array(32), 500)).not.toEqual(secretPrompts(seed, 500))
})

it('are token ids of the vocabulary', () => {
  const ids = secretPrompts(seed, 11).flat()
  expect(ids.every((id) => Number.isInteger(id) && id >= 0 && id < 11)).toBe(true)
  expect(new Set(ids).size).toBe(11)
})
