import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { BlockShape } from '../model/block-shape.js'

/** Token ids of one prompt and one completion. */
export type TokenPair = Pick<TrainingEvent, 'promptTokens' | 'completionTokens'>

/** The inputs of a block as the programs take them; N, R, B and T as in `BlockShape`. */
export interface Block {
  /** Token ids, sequence after sequence; int32[N] */
  readonly ids: Int32Array
  /** Position of each within its sequence; int32[N] */
  readonly offsets: Int32Array
  /** The sequence whose prompt a position belongs to; R where it is none's; int32[N] */
  readonly prompts: Int32Array
  /**
   * The grid of the attention: the position in each cell, its sequence (own values where there is none); int32[B·T].
   * Cells beyond all positions hold position 0 again.
   */
  readonly positions: Int32Array
  readonly owners: Int32Array
  /** The cell of each position; int32[N] */
  readonly cells: Int32Array
  /** Completion tokens: position that predicts each, its id, its sequence; int32[M]. */
  readonly sources: Int32Array
  readonly targets: Int32Array
  readonly segments: Int32Array
  /** How many completion tokens there are. */
  readonly count: number
}

/** @param slots  M, the room for completion tokens */
export function layOut(events: readonly TokenPair[], shape: BlockShape, slots: number): Block {
  const { tokens: N, events: R, rows: B, length: T } = shape
  const ints = (size: number, value = 0) => new Int32Array(size).fill(value)
  const [ids, offsets, prompts, cells] = [ints(N), ints(N), ints(N, R), ints(N)]
  const positions = ints(B * T)
  // a cell without a sequence looks at itself alone, and nobody looks at it
  const owners = Int32Array.from({ length: B * T }, (_, cell) => R + cell)
  const [sources, targets, segments] = [ints(slots), ints(slots), ints(slots, R)]
  const used = new Array<number>(B).fill(0)
  let start = 0
  let count = 0
  events.forEach(({ promptTokens, completionTokens }, sequence) => {
    const length = promptTokens.length + completionTokens.length
    const row = used.findIndex((taken) => T - taken >= length)
    if (row < 0 || start + length > N || sequence >= R)
      throw new BcodError('INTERNAL', `${events.length} events do not fit a block of ${N} in ${B}x${T}`)
    const cell = row * T + (used[row] as number)
    used[row] = (used[row] as number) + length
    ids.set(promptTokens, start)
    ids.set(completionTokens, start + promptTokens.length)
    prompts.fill(sequence, start, start + promptTokens.length)
    owners.fill(sequence, cell, cell + length)
    for (let i = 0; i < length; i++) {
      offsets[start + i] = i
      cells[start + i] = cell + i
      positions[cell + i] = start + i
    }
    completionTokens.forEach((token, index) => {
      // the first token of a sequence has no context that could predict it
      if (promptTokens.length + index === 0) return
      sources[count] = start + promptTokens.length + index - 1
      targets[count] = token
      segments[count] = sequence
      count++
    })
    start += length
  })
  // positions without a sequence stand alone in cells that are free: no gradient comes back to them
  for (let position = start, cell = 0; position < N; position++, cell++) {
    while ((owners[cell] as number) < R) cell++
    cells[position] = cell
    positions[cell] = position
  }
  return { ids, offsets, prompts, positions, owners, cells, sources, targets, segments, count }
}
