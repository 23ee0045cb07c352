import { BcodError } from '../errors.js'
import type { BlockShape } from '../model/language-model.js'

/**
 * The block shapes that a learner compiles, shortest first. Above 64 each length is a third to a half longer than the
 * one before it, so that little of a row is padding; a block has as many rows as the token budget allows, one at least.
 *
 * @param maxLength  longest prompt + completion, in tokens
 * @param tokens     positions of one micro-batch, padding included
 * @param size       events of an optimizer step: a block never has more rows
 */
export function blockShapes(maxLength: number, tokens: number, size: number): readonly BlockShape[] {
  const lengths: number[] = []
  for (let base = 32; base < maxLength; base *= 2) lengths.push(...(base < 64 ? [base] : [base, base * 1.5]))
  const bounded = [...lengths.filter((length) => length < maxLength), maxLength]
  return bounded.map((length) => ({ rows: Math.max(1, Math.min(size, Math.floor(tokens / length))), length }))
}

/** One micro-batch: which events (by their index in the step) fill the rows of a block. */
export interface MicroBatch {
  readonly shape: BlockShape
  readonly events: readonly number[]
}

/**
 * Splits a step's events into blocks: a pure function of their lengths and the shapes. The longest event opens a
 * block of the smallest shape that holds it, and the next longest fill its rows.
 *
 * @param lengths  tokens of each event, prompt and completion
 */
export function planMicroBatches(lengths: readonly number[], shapes: readonly BlockShape[]): readonly MicroBatch[] {
  const order = lengths
    .map((_, index) => index)
    .sort((a, b) => (lengths[b] as number) - (lengths[a] as number) || a - b)
  const batches: MicroBatch[] = []
  for (let next = 0; next < order.length; ) {
    const longest = lengths[order[next] as number] as number
    const shape = shapes.find(({ length }) => length >= longest)
    if (!shape) throw new BcodError('INTERNAL', `an event of ${longest} tokens reached the learner`)
    batches.push({ shape, events: order.slice(next, next + shape.rows) })
    next += shape.rows
  }
  return batches
}
