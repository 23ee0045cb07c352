/** Consecutive slots of a row whose queries share one list of keys. */
export interface QueryBlock {
  readonly start: number
  readonly end: number
  /** How many keys the list may hold, smallest first; it has room for every slot up to the block's end. */
  readonly capacities: readonly number[]
}

/** Queries of a block. */
const WIDTH = 128

/** Blocks that cover a row. */
export function queryBlocks(length: number): readonly QueryBlock[] {
  const sizes: number[] = []
  for (let keys = WIDTH; keys < length; keys += keys < 512 ? 64 : 2 ** Math.floor(Math.log2(keys)) / 4) sizes.push(keys)
  sizes.push(length)
  return Array.from({ length: Math.ceil(length / WIDTH) }, (_, i) => {
    const [start, end] = [i * WIDTH, Math.min(length, (i + 1) * WIDTH)]
    return { start, end, capacities: sizes.slice(0, sizes.findIndex((size) => size >= end) + 1) }
  })
}

/** The first of the block's capacities that holds so many keys; an index. */
export const capacityFor = ({ capacities }: QueryBlock, keys: number): number =>
  capacities.findIndex((capacity) => capacity >= keys)

/** The keys of each block, as the programs take them; int32, T slots in n blocks. */
export interface BlockKeys {
  /** [n·T] The slots of each block's keys. What is left of a list repeats the first slot of the block. */
  readonly keySlots: Int32Array
  /** [n] How many keys each block has. */
  readonly keyCounts: Int32Array
  /** [n] Which of its capacities each block is computed in. */
  readonly keyCapacities: Int32Array
}

/**
 * The keys that a block's queries see: its own slots, and of those before it the ones that its first query sees.
 *
 * @param slotEnds  up to which slot each slot of the row is seen; int32[T]
 */
export function blockKeys(slotEnds: Int32Array): BlockKeys {
  const T = slotEnds.length
  const blocks = queryBlocks(T)
  const keySlots = new Int32Array(blocks.length * T)
  const keyCounts = new Int32Array(blocks.length)
  const keyCapacities = new Int32Array(blocks.length)
  blocks.forEach((block, i) => {
    const list = keySlots.subarray(i * T, (i + 1) * T).fill(block.start)
    let count = 0
    for (let slot = 0; slot < block.end; slot++)
      if (slot >= block.start || (slotEnds[slot] as number) > block.start) list[count++] = slot
    keyCounts[i] = count
    keyCapacities[i] = capacityFor(block, count)
  })
  return { keySlots, keyCounts, keyCapacities }
}
