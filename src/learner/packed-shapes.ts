import { BcodError } from '../errors.js'
import type { PackedShape } from '../model/packed-shape.js'
import { queryBands } from '../model/query-bands.js'
import { capacityFor, queryBlocks } from '../model/query-blocks.js'
import type { BatchLayout } from './packed-batch.js'
import {
  type Branch,
  growTrees,
  singleTrees,
  type TokenPair,
  type TokenTree,
  tokensOf,
  walkThrough,
} from './token-trees.js'

/** Slots for each token, if there are several rows. */
const SLOT_ROOM = 1.1
/** Sizes of batches that hold one large tree, as shares of the largest. */
const TREE_SIZES = Array.from({ length: 11 }, (_, i) => (i + 6) / 16)
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
  const treeSizes = TREE_SIZES.map((share) => Math.min(largest, 64 * Math.ceil((largest * share) / 64)))
  return [...new Set([...sizes, ...treeSizes])]
    .sort((a, b) => a - b)
    .flatMap((n) => {
      // a tree of sequences may be longer than each of them
      const own = [...(sizes.includes(n) ? lengths : []), ...(treeSizes.includes(n) ? [n] : [])]
      return [...new Set(own.map((length) => Math.min(length, n)))].map((length) => {
        // whole sequences leave gaps at the ends of rows
        const rows = n > length ? Math.ceil((SLOT_ROOM * n) / length) : 1
        return { tokens: n, sequences: Math.min(size, n), rows, length, longest: Math.min(length, maxLength) }
      })
    })
}

/** One micro-batch: which events (by their index in the step) a packed batch holds, tree by tree. */
export interface MicroBatch extends BatchLayout {
  readonly events: readonly number[]
}

/**
 * What a plan is weighed by, in tokens. It depends on model and device alone.
 */
export interface PlanCosts {
  /** That a query looks at one key: rows of the attention that get longer cost more. */
  readonly pairCost: number
  /** What a packed batch costs beside its tokens: calls, and weights that are read again. */
  readonly batchCost: number
  /** Whether one row costs what its trees' pairs cost (`runsInBlocks`); otherwise it costs the same whatever is in it. */
  readonly inBlocks: boolean
}

/** Beginnings shorter than the last of these are not worth a tree. */
const LEAST_SHARED = [512, 128, 32, 8] as const

/**
 * Splits a step's events into packed batches: a pure function of the events and the shapes. Of several ways to share
 * their beginnings, none among them, the one that costs least; of equal ones the one that shares least.
 */
export function planMicroBatches(
  events: readonly TokenPair[],
  shapes: readonly PackedShape[],
  costs: PlanCosts,
): readonly MicroBatch[] {
  const longest = Math.max(0, ...events.map(tokensOf))
  const rows = [...new Set(shapes.map(({ length }) => length))].filter((length) => length >= longest)
  const walk = walkThrough(events)
  const sequences = Math.max(0, ...shapes.map((shape) => shape.sequences))
  const shared = LEAST_SHARED.flatMap((least) => rows.map((tokens) => growTrees(walk, least, { tokens, sequences })))
  // one that shares nothing is the plan of events by themselves
  const ways = [singleTrees(events), ...shared.filter((trees) => trees.length < events.length)].map((trees) => {
    const plan = planTrees(trees, shapes, costs)
    return { plan, cost: plan.reduce((sum, filled) => sum + costOf(filled, costs), 0) }
  })
  return ways
    .reduce((best, way) => (way.cost < best.cost ? way : best))
    .plan.map(({ shape, trees }) => ({
      shape,
      events: trees.flatMap(({ events: own }) => own),
      trees: trees.map(({ events: own }) => own.length),
    }))
}

/** A batch's cost in tokens. */
const costOf = ({ shape, trees }: Filled, { pairCost, batchCost, inBlocks }: PlanCosts): number => {
  const pairs = inBlocks && shape.rows === 1 ? pairsOfTrees(trees, shape.length) : pairsOfRows(shape)
  return batchCost + shape.tokens + pairCost * pairs
}

/** Pairs of a query and a key that are computed in bands, whatever is in the rows. */
const pairsOfRows = ({ rows, length }: PackedShape): number =>
  rows * queryBands(length).reduce((sum, { start, end }) => sum + (end - start) * end, 0)

/** Pairs of a query and a key that are computed if these trees stand in one row. */
function pairsOfTrees(trees: readonly TokenTree[], length: number): number {
  const before = seenBefore(trees)
  return queryBlocks(length).reduce((sum, block) => {
    const width = block.end - block.start
    const capacity = block.capacities[capacityFor(block, before(block.start) + width)] as number
    return sum + width * capacity
  }, 0)
}

/** How many of the tokens before it a token sees, by its place in the row; asked for places in rising order. */
function seenBefore(trees: readonly TokenTree[]): (place: number) => number {
  const branches = trees.flatMap((tree) => tree.branches)
  let [branch, start] = [0, 0]
  return (place) => {
    for (; branch < branches.length; branch++) {
      const { tokens, shared } = branches[branch] as Branch
      if (place < start + tokens - shared) return shared + place - start
      start += tokens - shared
    }
    return 0
  }
}

/** Full batches of the largest size come first; what remains goes into the one or two that leave the fewest tokens unused. */
function planTrees(
  trees: readonly TokenTree[],
  shapes: readonly PackedShape[],
  { batchCost }: PlanCosts,
): readonly Filled[] {
  let order = trees.toSorted((a, b) => b.tokens - a.tokens || (a.events[0] as number) - (b.events[0] as number))
  const batches: Filled[] = []
  const largest = shapes.at(-1)?.tokens ?? 0
  while (order.length > 0) {
    const first = order[0] as TokenTree
    const fitting = shapes.filter((shape) => holds(shape, first))
    // the shortest rows of each size
    const candidates = fitting.filter((shape, i) => fitting[i - 1]?.tokens !== shape.tokens)
    if (candidates.length === 0)
      throw new BcodError('INTERNAL', `an event of ${first.longest} tokens reached the learner`)
    const total = order.reduce((sum, { tokens, targets }) => sum + Math.max(tokens, targets), 0)
    const filled =
      total > largest ? fill(order, candidates.at(-1) as PackedShape) : tightest(order, candidates, batchCost)
    batches.push(filled)
    order = rest(order, filled)
  }
  return batches
}

/** Whether a batch of this shape has room for the tree, if nothing else is in it. */
const holds = (shape: PackedShape, { tokens, longest, targets, events }: TokenTree): boolean =>
  shape.length >= tokens && shape.longest >= longest && shape.tokens >= targets && shape.sequences >= events.length

/** Trees in a batch. */
interface Filled {
  readonly shape: PackedShape
  readonly trees: readonly TokenTree[]
}

/**
 * The first of the one or two batches that hold all of `order` at the least cost; if two do not, the fullest of the
 * largest size.
 */
function tightest(order: readonly TokenTree[], shapes: readonly PackedShape[], batchCost: number): Filled {
  const options = shapes.map((shape) => fill(order, shape))
  const costs = options.map((filled) => {
    const left = rest(order, filled)
    if (left.length === 0) return filled.shape.tokens
    const second = shapes.find((shape) => fill(left, shape).trees.length === left.length)
    return filled.shape.tokens + batchCost + (second?.tokens ?? Number.POSITIVE_INFINITY)
  })
  const least = Math.min(...costs)
  return options.at(least === Number.POSITIVE_INFINITY ? -1 : costs.indexOf(least)) as Filled
}

const rest = (order: readonly TokenTree[], { trees }: Filled) => order.filter((tree) => !trees.includes(tree))

/** Puts as many of `order` (longest first) into a batch as fit. */
function fill(order: readonly TokenTree[], shape: PackedShape): Filled {
  const trees: TokenTree[] = []
  const free = new Array<number>(shape.rows).fill(shape.length)
  let [room, targetRoom, sequences] = [shape.tokens, shape.tokens, shape.sequences]
  for (const tree of order) {
    const { tokens, targets, events } = tree
    const row = free.findIndex((left) => left >= tokens)
    if (events.length > sequences || tokens > room || targets > targetRoom || row < 0) continue
    trees.push(tree)
    free[row] = (free[row] as number) - tokens
    room -= tokens
    targetRoom -= targets
    sequences -= events.length
  }
  return { shape, trees }
}
