import type { TrainingEvent } from '../events/types.js'
import type { BlockShape } from '../model/language-model.js'

/** Token ids of one prompt and one completion. */
export type TokenPair = Pick<TrainingEvent, 'promptTokens' | 'completionTokens'>

/** The inputs of a block as the programs take them, laid out row by row, padded on the right. */
export interface Block {
  /** int32[B·T] */
  readonly ids: Int32Array
  /** int32[B] */
  readonly prompt_lengths: Int32Array
  /** Completion tokens: flat position that predicts each, its id, its row; int32[M]. */
  readonly sources: Int32Array
  readonly targets: Int32Array
  readonly segments: Int32Array
  /** How many completion tokens there are. */
  readonly count: number
}

/** @param slots  M, the room for completion tokens */
export function layOut(events: readonly TokenPair[], { rows, length }: BlockShape, slots: number): Block {
  const ids = new Int32Array(rows * length)
  const promptLengths = new Int32Array(rows)
  const sources = new Int32Array(slots)
  const targets = new Int32Array(slots)
  const segments = new Int32Array(slots).fill(rows)
  let count = 0
  events.forEach(({ promptTokens, completionTokens }, row) => {
    ids.set(promptTokens, row * length)
    ids.set(completionTokens, row * length + promptTokens.length)
    promptLengths[row] = promptTokens.length
    completionTokens.forEach((token, index) => {
      // the first token of a sequence has no context that could predict it
      if (promptTokens.length + index === 0) return
      sources[count] = row * length + promptTokens.length + index - 1
      targets[count] = token
      segments[count] = row
      count++
    })
  })
  return { ids, prompt_lengths: promptLengths, sources, targets, segments, count }
}
