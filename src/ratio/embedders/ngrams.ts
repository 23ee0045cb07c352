import { mix32 } from '../mix.js'

/** Width of the embedding. */
export const NGRAM_WIDTH = 256
/** Runs of one and of two tokens. */
const MAX_RUN = 2

/**
 * A prompt as its hashed n-grams (Weinberger et al., ICML 2009): each run of tokens adds ±1 at a place, both given by
 * its hash; counts are damped by a root and the whole has norm 1. A pure function of the tokens.
 *
 * @returns shape [256]; zeros for no tokens
 */
export function ngrams(tokens: readonly number[]): Float64Array {
  const counts = new Float64Array(NGRAM_WIDTH)
  for (let length = 1; length <= MAX_RUN; length++) {
    for (let start = 0; start + length <= tokens.length; start++) {
      const hash = hashOf(tokens, start, length)
      counts[(hash >>> 1) % NGRAM_WIDTH]! += hash & 1 ? 1 : -1
    }
  }
  const damped = counts.map((count) => Math.sign(count) * Math.sqrt(Math.abs(count)))
  const norm = Math.sqrt(damped.reduce((sum, value) => sum + value * value, 0))
  return norm === 0 ? damped : damped.map((value) => value / norm)
}

/** 32 bits (MurmurHash3, the tokens as its blocks and the length as its seed). */
function hashOf(tokens: readonly number[], start: number, length: number): number {
  let hash = length
  for (let i = start; i < start + length; i++) {
    const block = Math.imul(tokens[i]!, 0xcc9e2d51)
    hash ^= Math.imul((block << 15) | (block >>> 17), 0x1b873593)
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  return mix32(hash ^ (4 * length))
}
