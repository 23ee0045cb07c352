import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { TextService } from '../text/text-process.js'
import { EmbeddingEndpoint, type EndpointParts } from './endpoint.js'

/** Gives the events of a step what the learner cannot find out by itself. */
export type EventEmbedding = (events: readonly TrainingEvent[]) => Promise<readonly TrainingEvent[]>

/**
 * With `ratio.embedder = endpoint` the prompts' embeddings, otherwise nothing.
 *
 * @throws TEXT_WITHOUT_TOKENIZER if prompts cannot be sent as text, CONFIG_MISSING without a URL
 */
export function eventEmbedding(
  { ratio, embeddings, model, seed }: Pick<Config, 'ratio' | 'embeddings' | 'model' | 'seed'>,
  text: Pick<TextService, 'decode'> | null,
  { counted, failed }: Omit<EndpointParts, 'textsOf'>,
): EventEmbedding {
  if (ratio.embedder !== 'endpoint' || ratio.mode === 'off') return async (events) => events
  if (text === null)
    throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'ratio.embedder=endpoint sends prompts as text', {
      ...(model.path !== null && { place: model.path }),
    })
  const { url, token, timeout, retries, cache } = embeddings
  if (url === null)
    throw new BcodError('CONFIG_MISSING', 'required with ratio.embedder=endpoint', { place: 'embeddings.url' })
  const options = { url, token, timeout, retries, cache, model: ratio.embeddingModel ?? '', seed }
  const textsOf = (prompts: readonly (readonly number[])[]) => text.decode(prompts, { skipSpecialTokens: true })
  const endpoint = new EmbeddingEndpoint(options, { textsOf, counted, failed })
  return (events) => endpoint.embed(events)
}
