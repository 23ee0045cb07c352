import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { PackedShape } from '../model/packed-shape.js'

/** Token ids of one prompt and one completion. */
export type TokenPair = Pick<TrainingEvent, 'promptTokens' | 'completionTokens'>

/** Sequences as the programs take them; N, R, B and T as in `PackedShape`. */
export interface PackedBatch {
  /** Token ids, sequence after sequence; int32[N] */
  readonly inputIds: Int32Array
  /** Position of each token within its sequence; int32[N] */
  readonly positionIds: Int32Array
  /** The sequence whose prompt a token belongs to, R if to none's; int32[N] */
  readonly promptSegmentIds: Int32Array
  /**
   * Rows of slots, on which the attention runs: the token in each slot, and its sequence, a value of its own for a slot
   * without one; int32[B·T]. Slots beyond all tokens hold token 0 again.
   */
  readonly slotTokens: Int32Array
  readonly segmentIds: Int32Array
  /** The slot of each token; int32[N] */
  readonly tokenSlots: Int32Array
  /** Completion tokens: the token whose logits predict each, its id, its sequence (R for an unused entry); int32[M] */
  readonly logitIndices: Int32Array
  readonly targetIds: Int32Array
  readonly targetSegmentIds: Int32Array
  /** How many completion tokens there are. */
  readonly targetCount: number
}

/**
 * Lays sequences out in a packed batch.
 *
 * @param targetCapacity  M, room for completion tokens
 * @throws INTERNAL if they do not fit
 */
export function packBatch(events: readonly TokenPair[], shape: PackedShape, targetCapacity: number): PackedBatch {
  const { tokens: N, sequences: R, rows: B, length: T } = shape
  const ints = (size: number, value = 0) => new Int32Array(size).fill(value)
  const [inputIds, positionIds, promptSegmentIds, tokenSlots] = [ints(N), ints(N), ints(N, R), ints(N)]
  const slotTokens = ints(B * T)
  // a slot without a sequence attends to itself alone, and no other attends to it
  const segmentIds = Int32Array.from({ length: B * T }, (_, slot) => R + slot)
  const [logitIndices, targetIds] = [ints(targetCapacity), ints(targetCapacity)]
  const targetSegmentIds = ints(targetCapacity, R)
  const used = new Array<number>(B).fill(0)
  let start = 0
  let targetCount = 0
  events.forEach(({ promptTokens, completionTokens }, sequence) => {
    const length = promptTokens.length + completionTokens.length
    const row = used.findIndex((taken) => T - taken >= length)
    if (row < 0 || start + length > N || sequence >= R)
      throw new BcodError('INTERNAL', `${events.length} events do not fit a packed batch of ${N} in ${B}x${T}`)
    const slot = row * T + (used[row] as number)
    used[row] = (used[row] as number) + length
    inputIds.set(promptTokens, start)
    inputIds.set(completionTokens, start + promptTokens.length)
    promptSegmentIds.fill(sequence, start, start + promptTokens.length)
    segmentIds.fill(sequence, slot, slot + length)
    for (let i = 0; i < length; i++) {
      positionIds[start + i] = i
      tokenSlots[start + i] = slot + i
      slotTokens[slot + i] = start + i
    }
    completionTokens.forEach((token, index) => {
      // the first token of a sequence has no context that could predict it
      if (promptTokens.length + index === 0) return
      logitIndices[targetCount] = start + promptTokens.length + index - 1
      targetIds[targetCount] = token
      targetSegmentIds[targetCount] = sequence
      targetCount++
    })
    start += length
  })
  // tokens without a sequence stand alone in free slots: no gradient comes back to them
  for (let token = start, slot = 0; token < N; token++, slot++) {
    while ((segmentIds[slot] as number) < R) slot++
    tokenSlots[token] = slot
    slotTokens[slot] = token
  }
  return {
    inputIds,
    positionIds,
    promptSegmentIds,
    slotTokens,
    segmentIds,
    tokenSlots,
    logitIndices,
    targetIds,
    targetSegmentIds,
    targetCount,
  }
}
