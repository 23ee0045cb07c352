import { basename } from 'node:path'
import type { TrainingEvent } from '../../events/types.js'
import type { Embedding } from '../classifier-model.js'
import { NGRAM_WIDTH, ngrams } from './ngrams.js'

export interface EmbedderOptions {
  /** `ratio.embedder` */
  readonly embedder: 'prompt-state' | 'ngrams' | 'endpoint'
  /** `ratio.embeddingModel`, which `endpoint` asks for. */
  readonly embeddingModel: string | null
}

/** What p_ψ sees of a prompt. */
export interface PromptEmbedder {
  /** What the embeddings are. A classifier that learnt from others is of no use for these. */
  readonly identity: string
  /**
   * null if there is none: the prompt then has w = 1 and is not learnt.
   *
   * @param state  mean-pooled last hidden state of the prompt under the reference, [D]
   */
  embed(event: TrainingEvent, state: Float64Array): Embedding | null
}

/**
 * - `prompt-state`: the reference's own state of the prompt, which its pass yields in any case;
 * - `ngrams`: hashed n-grams of the prompt's tokens, for which no model is needed;
 * - `endpoint`: what an embedding service has said, which comes with the event.
 *
 * @param reference  `model.reference`: `base`, or the directory of an adapter version
 */
export function promptEmbedder({ embedder, embeddingModel }: EmbedderOptions, reference: string): PromptEmbedder {
  switch (embedder) {
    case 'prompt-state':
      return { identity: `prompt-state of ${basename(reference)}`, embed: (_, state) => state }
    case 'ngrams':
      return { identity: `ngrams of ${NGRAM_WIDTH}`, embed: ({ promptTokens }) => ngrams(promptTokens) }
    case 'endpoint':
      return { identity: `endpoint ${embeddingModel}`, embed: ({ promptEmbedding }) => promptEmbedding ?? null }
  }
}
