import { createHash } from 'node:crypto'

/** How many prompts, and how many tokens each has. */
const PROMPTS = 16
const LENGTH = 12

/**
 * Prompts of random token ids that nobody else knows, so that no server can be made to answer these alone as it should.
 * They follow from the seed, which must stay secret: the words of SHA-256(seed, counter).
 *
 * @param vocabSize  ids are below it
 */
export function secretPrompts(seed: Uint8Array, vocabSize: number): readonly (readonly number[])[] {
  const numbers = words(seed)
  return Array.from({ length: PROMPTS }, () =>
    Array.from({ length: LENGTH }, () => Number(numbers.next().value) % vocabSize),
  )
}

function* words(seed: Uint8Array): Generator<number> {
  for (let counter = 0; ; counter++) {
    const digest = createHash('sha256').update(seed).update(Uint32Array.of(counter)).digest()
    // 48 bits, so that the remainder favours no token
    for (let at = 0; at + 6 <= digest.length; at += 6) yield digest.readUIntBE(at, 6)
  }
}

/** A prompt of tokens and the token that follows it. */
export interface TokenPair {
  readonly promptTokens: readonly number[]
  readonly completionTokens: readonly number[]
}
