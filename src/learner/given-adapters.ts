import type { Adapter } from '../adapters/weights/adapter.js'
import type { Later } from '../engine/index.js'
import { BcodError } from '../errors.js'
import type { SamplingOptions } from '../model/generate.js'
import { type LoraOptions, loraFromAdapter } from '../model/lora.js'
import { openModelTensors } from '../safetensors/directory.js'
import { AffordableShapes } from './affordable-shapes.js'
import { measuringShapes } from './measuring-shapes.js'
import type { ModelSession } from './model-session.js'
import type { BatchLayout } from './packed-batch.js'
import { packEvents, rowsOfAll } from './packed-events.js'
import { piecesOf } from './pieces.js'
import { recomputeBad } from './quarantine.js'
import { type TokenPair, tokensOf } from './token-trees.js'

/**
 * What the model computes under adapters that it is given for the call, beside the one that learns. They have variables
 * of their own, which no step reads, so nothing that is learnt moves, also if a call fails.
 *
 * Pairs are packed in pieces, each by itself: how many pieces a call has, and how many places, changes no bits. Only if
 * there is no memory for one of them, all pieces of the call are packed in smaller shapes.
 */
export class GivenAdapters {
  /** @param pieceTokens  of one piece */
  constructor(
    private readonly model: ModelSession,
    private readonly lora: LoraOptions,
    private readonly pieceTokens: number,
  ) {}

  /**
   * log π(y|x) of each pair under an adapter; null for the base. Not finite where it is not finite by itself.
   *
   * @param limit  tokens of the largest packed batch that the device is known to have memory for; null: not known
   * @returns null for a pair that is too long for the device's memory
   * @throws ADAPTER_MISMATCH, DEVICE_OUT_OF_MEMORY if there is none for the smallest shape
   */
  logps(adapter: Adapter | null, pairs: readonly TokenPair[], limit: number | null): readonly (number | null)[] {
    this.model.setGiven(this.#values(adapter))
    return this.#byPair(pairs, limit, (...batch) => this.model.scoreGiven(...batch))
  }

  /**
   * KL of one adapter from another, Σ_t KL(π(·|x, y_<t) ‖ π_other(·|x, y_<t)) over each completion, over the whole
   * vocabulary: exact, whoever wrote the completion. null is the base.
   *
   * @returns null for a pair that is too long for the device's memory
   * @throws ADAPTER_MISMATCH, DEVICE_OUT_OF_MEMORY if there is none for the smallest shape
   */
  divergences(
    adapter: Adapter,
    other: Adapter | null,
    pairs: readonly TokenPair[],
    limit: number | null,
  ): readonly (number | null)[] {
    this.model.setGiven(this.#values(adapter), this.#values(other))
    return this.#byPair(pairs, limit, (...batch) => this.model.divergence(...batch))
  }

  /**
   * Answers under an adapter; null for the base.
   * @throws ADAPTER_MISMATCH, MODEL_NONFINITE if a token has no probability
   */
  answers(
    adapter: Adapter | null,
    prompts: readonly (readonly number[])[],
    options: SamplingOptions,
  ): readonly (readonly number[])[] {
    this.model.setGiven(this.#values(adapter))
    const answers = this.model.generateGiven(prompts, options)
    if (answers !== null) return answers
    throw new BcodError('MODEL_NONFINITE', 'a token has no probability: it is NaN or infinite', {
      remedy: 'Look for NaN in the adapter.',
    })
  }

  /**
   * ‖W‖ (Frobenius) of the base's weights of modules such as `model.layers.0.self_attn.q_proj`, in their order.
   * @throws MODEL_TENSOR_MISSING
   */
  weightNorms(modules: readonly string[]): readonly number[] {
    const reader = openModelTensors(this.model.options.modelPath)
    try {
      return modules.map((module) => {
        let sum = 0
        for (const value of reader.floats(`${module}.weight`)) sum += value * value
        return Math.sqrt(sum)
      })
    } finally {
      reader.close()
    }
  }

  #values(adapter: Adapter | null): Float32Array {
    const { lora } = this.model.model
    return adapter === null ? new Float32Array(lora.size) : loraFromAdapter(lora, this.lora, adapter, 'adapter')
  }

  /** A limit that a measurement runs into says nothing to the steps: it is part of what they replay. */
  #byPair(
    pairs: readonly TokenPair[],
    limit: number | null,
    begin: (events: readonly TokenPair[], layout: BatchLayout, place: number) => Later<readonly number[]>,
  ): readonly (number | null)[] {
    const allowed = new AffordableShapes(this.model.options.shapes)
    allowed.limit = limit
    const shapes = new AffordableShapes(measuringShapes(allowed.shapes))
    shapes.limit = limit
    const fits = (pair: TokenPair) => tokensOf(pair) <= shapes.longestSequence
    const inMemory = (pieces: readonly (readonly TokenPair[])[]) =>
      shapes.retrySmaller(() => {
        const packings = pieces.map((piece) => packEvents(this.model, shapes, piece.filter(fits)))
        const rows = rowsOfAll(this.model, packings, begin)
        return pieces.map((piece, i) => {
          const values = (rows[i] as readonly number[]).values()
          return piece.map((pair) => (fits(pair) ? (values.next().value as number) : null))
        })
      })
    const alone = (piece: readonly TokenPair[]) => inMemory([piece])[0] as readonly (number | null)[]
    const pieces = piecesOf(pairs, this.pieceTokens)
    const first = inMemory(pieces)
    const isGood = (value: number | null) => value === null || Number.isFinite(value)
    return pieces.flatMap((piece, i) => recomputeBad(piece, first[i] as (number | null)[], alone, isGood))
  }
}
