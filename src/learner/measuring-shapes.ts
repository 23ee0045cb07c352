import type { PackedShape } from '../model/packed-shape.js'

/** Tokens of the smallest: one of half as many takes nearly as long. */
const LEAST_TOKENS = 128
/** Of the largest, unless a sequence is longer: what a row's attention computes and holds may grow with its square. */
const MOST_TOKENS = 2048
/** There is room for a sequence in so many of them. */
const TOKENS_OF_A_SEQUENCE = 8

/**
 * The shapes that scores are computed in, smallest first. A measurement meets few batches, so it compiles few programs:
 * each shape has half of the next one's tokens, in one row, which has room for sequences of any length and for what
 * they share.
 *
 * @param shapes  those of steps that the device has memory for, smallest first
 */
export function measuringShapes(shapes: readonly PackedShape[]): readonly PackedShape[] {
  const longest = Math.max(...shapes.map((shape) => shape.longest))
  const sizes = [Math.min(shapes.at(-1)?.tokens ?? 0, Math.max(longest, MOST_TOKENS))]
  while ((sizes[0] as number) >= 2 * LEAST_TOKENS) sizes.unshift(Math.ceil((sizes[0] as number) / 2))
  return sizes.map((tokens) => ({
    ...{ tokens, sequences: Math.ceil(tokens / TOKENS_OF_A_SEQUENCE), rows: 1, length: tokens },
    longest: Math.min(tokens, longest),
  }))
}
