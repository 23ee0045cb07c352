import { BcodError } from '../errors.js'
import { LIKELIEST, listModels, type ModelServer, requireTokens } from './model-server.js'
import { type Answer, ask, type Endpoint, reasonOf } from './request.js'

/**
 * SGLang's server, started with `--enable-lora`, by its documentation: the pages LoRA Serving, Sampling Parameters and
 * Native APIs. Not tried against a real one.
 */
export const sglang = (endpoint: Endpoint): ModelServer => ({
  models: () => listModels(endpoint),

  async load(name, directory) {
    const answer = await ask(endpoint, 'POST', '/load_lora_adapter', { lora_name: name, lora_path: directory })
    if (!succeeded(answer)) throw new BcodError('SERVING_REFUSED', reasonOf(answer), { place: endpoint.place })
  },

  async unload(name) {
    const answer = await ask(endpoint, 'POST', '/unload_lora_adapter', { lora_name: name })
    if (succeeded(answer) || !(await listModels(endpoint)).adapters.has(name)) return
    throw new BcodError('SERVING_REFUSED', reasonOf(answer), { place: endpoint.place })
  },

  async likeliest({ name, isBase }, prompt) {
    const answer = await ask(endpoint, 'POST', '/generate', {
      input_ids: prompt,
      sampling_params: { max_new_tokens: 1, temperature: 0 },
      return_logprob: true,
      top_logprobs_num: LIKELIEST,
      ...(!isBase && { lora_path: name }),
    })
    if (answer.status !== 200) throw new BcodError('SERVING_ANSWER', reasonOf(answer), { place: endpoint.place })
    const [first] = (answer.json as Generated | undefined)?.meta_info?.output_top_logprobs ?? []
    return requireTokens(
      (first ?? []).map(([logp, id]) => ({ id, logp })),
      endpoint.place,
    )
  },
})

interface Generated {
  readonly meta_info?: {
    /** At each position, of each token: log-probability, id, text. */
    readonly output_top_logprobs?: readonly (readonly (readonly [logp: number, id: number, text: unknown])[])[]
  }
}

const succeeded = ({ status, json }: Answer): boolean =>
  status === 200 && (json as { readonly success?: unknown } | undefined)?.success === true
