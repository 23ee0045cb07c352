import { BcodError } from '../errors.js'
import type { PackedShape } from '../model/packed-shape.js'

/** What else a packed batch costs, in tokens: calls, and weights that are read again. */
const BATCH_COST = 32
/** Slots for each token, if there are several rows. */
const SLOT_ROOM = 1.1
/** Below this the attention gains nothing from shorter rows. */
const MIN_ROW_LENGTH = 128

/**
 * The shapes of packed batches that a learner compiles, smallest first. Two neighbours are at most a quarter apart above
 * 256 tokens, and a step is split if that leaves less room unused.
 *
 * @param maxLength  longest prompt + completion, in tokens
 * @param tokens     tokens of one micro-batch
 * @param size       events of an optimizer step: a batch never has more
 */
export function packedShapes(maxLength: number, tokens: number, size: number): readonly PackedShape[] {
  const largest = Math.max(maxLength, Math.min(tokens, size * maxLength))
  const sizes: number[] = []
  for (let n = 32; n < largest; n += n < 64 ? n : n < 512 ? 64 : 2 ** Math.floor(Math.log2(n)) / 4) sizes.push(n)
  sizes.push(largest)
  const lengths = [maxLength]
  while ((lengths[0] as number) / 4 >= MIN_ROW_LENGTH) lengths.unshift(Math.ceil((lengths[0] as number) / 4))
  return sizes.flatMap((n) => {
    const own = [...new Set(lengths.map((length) => Math.min(length, n)))]
    return own.map((length) => {
      // whole sequences leave gaps at the ends of rows
      const rows = n > length ? Math.ceil((SLOT_ROOM * n) / length) : 1
      return { tokens: n, sequences: Math.min(size, n), rows, length }
    })
  })
}

/** One micro-batch: which events (by their index in the step) a packed batch holds. */
export interface MicroBatch {
  readonly shape: PackedShape
  readonly events: readonly number[]
}

/**
 * Splits a step's events into packed batches: a pure function of their lengths and the shapes. Full ones of the largest
 * size come first; what remains goes into the one or two that leave the fewest tokens unused.
 *
 * @param lengths  tokens of each event, prompt and completion
 */
export function planMicroBatches(lengths: readonly number[], shapes: readonly PackedShape[]): readonly MicroBatch[] {
  const lengthOf = (index: number) => lengths[index] as number
  let order = lengths.map((_, index) => index).sort((a, b) => lengthOf(b) - lengthOf(a) || a - b)
  const batches: MicroBatch[] = []
  const largest = shapes.at(-1)?.tokens ?? 0
  while (order.length > 0) {
    const longest = lengthOf(order[0] as number)
    const fitting = shapes.filter((shape) => shape.length >= longest)
    // the shortest rows of each size
    const candidates = fitting.filter((shape, i) => fitting[i - 1]?.tokens !== shape.tokens)
    if (candidates.length === 0) throw new BcodError('INTERNAL', `an event of ${longest} tokens reached the learner`)
    const total = order.reduce((sum, index) => sum + lengthOf(index), 0)
    const batch =
      total > largest ? fill(order, lengths, candidates.at(-1) as PackedShape) : tightest(order, lengths, candidates)
    batches.push(batch)
    order = rest(order, batch)
  }
  return batches
}

/**
 * The first of the one or two batches that hold all of `order` at the least cost; if two do not, the fullest of the
 * largest size.
 */
function tightest(order: readonly number[], lengths: readonly number[], shapes: readonly PackedShape[]): MicroBatch {
  const options = shapes.map((shape) => fill(order, lengths, shape))
  const costs = options.map((batch) => {
    const left = rest(order, batch)
    if (left.length === 0) return batch.shape.tokens
    const second = shapes.find((shape) => fill(left, lengths, shape).events.length === left.length)
    return batch.shape.tokens + BATCH_COST + (second?.tokens ?? Number.POSITIVE_INFINITY)
  })
  const least = Math.min(...costs)
  return options.at(least === Number.POSITIVE_INFINITY ? -1 : costs.indexOf(least)) as MicroBatch
}

const rest = (order: readonly number[], { events }: MicroBatch) => order.filter((index) => !events.includes(index))

/** Puts as many of `order` (longest first) into a batch as fit. */
function fill(order: readonly number[], lengths: readonly number[], shape: PackedShape): MicroBatch {
  const events: number[] = []
  const free = new Array<number>(shape.rows).fill(shape.length)
  let room = shape.tokens
  for (const index of order) {
    const length = lengths[index] as number
    const row = free.findIndex((left) => left >= length)
    if (events.length === shape.sequences || length > room || row < 0) continue
    events.push(index)
    free[row] = (free[row] as number) - length
    room -= length
  }
  return { shape, events }
}
