import { BcodError } from '../errors.js'
import type { SamplingOptions } from '../model/generate.js'
import type { AffordableShapes } from './affordable-shapes.js'
import type { ModelSession } from './model-session.js'
import { packEvents } from './packed-events.js'
import { recomputeBad } from './quarantine.js'
import { assertReferenceFinite } from './reference-check.js'
import type { TokenPair } from './token-trees.js'

/** Log-probabilities of the completions, by pair. */
export interface Scores {
  readonly policy: readonly number[]
  readonly reference: readonly number[]
}

/** What the reference computes of one event. */
export interface PromptState {
  readonly reference: number
  /** Mean-pooled last hidden state of the prompt, [D]. */
  readonly embedding: Float64Array
}

/** What the model computes without a step: scores, states of prompts and answers. Nothing that is learnt moves. */
export class Inference {
  /** @param place  where the reference is from, for errors */
  constructor(
    private readonly model: ModelSession,
    private readonly shapes: AffordableShapes,
    private readonly place: string,
  ) {}

  /**
   * @param same  whether the policy is the reference, so that one pass serves both
   * @throws MODEL_NONFINITE if the reference is not finite for any text
   */
  score(pairs: readonly TokenPair[], same: boolean): Scores {
    const scores = this.#finite(pairs, (group) => {
      const packed = packEvents(this.model, this.shapes, group)
      const reference = packed.reference().logps
      const policy = same ? reference : packed.policyLogps()
      return group.map((_, i) => ({ reference: reference[i] as number, policy: policy[i] as number }))
    })
    return { policy: scores.map(({ policy }) => policy), reference: scores.map(({ reference }) => reference) }
  }

  /** @throws MODEL_NONFINITE if the reference is not finite for any text */
  promptStates(events: readonly TokenPair[]): readonly PromptState[] {
    return this.#finite(events, (group) => {
      const { logps, embeddings } = packEvents(this.model, this.shapes, group).reference()
      return group.map((_, i) => ({ reference: logps[i] as number, embedding: embeddings[i] as Float64Array }))
    })
  }

  /**
   * Samples answers at all places, in groups of as many prompts as the decoder has rows.
   * @throws MODEL_NONFINITE if a token has no probability
   */
  generate(prompts: readonly (readonly number[])[], options: SamplingOptions): readonly (readonly number[])[] {
    const answers = this.model.generate(prompts, options)
    if (answers !== null) return answers
    this.assertReference()
    const { place } = this
    throw new BcodError('MODEL_NONFINITE', 'a token has no probability: it is NaN or infinite', { place })
  }

  /** @throws MODEL_NONFINITE if the reference is not finite for any text */
  assertReference(): void {
    assertReferenceFinite(
      this.model,
      this.place,
      (text) => packEvents(this.model, this.shapes, [text]).reference().logps,
    )
  }

  /** What is not finite among others is computed again among fewer. */
  #finite<T, R extends { readonly reference: number; readonly policy?: number }>(
    items: readonly T[],
    compute: (group: readonly T[]) => readonly R[],
  ): readonly R[] {
    const inMemory = (group: readonly T[]) => this.shapes.retrySmaller(() => compute(group))
    const first = inMemory(items)
    if (items.length > 0 && !first.some(({ reference }) => Number.isFinite(reference))) this.assertReference()
    return recomputeBad(items, first, inMemory, ({ reference, policy = 0 }) => Number.isFinite(reference + policy))
  }
}
