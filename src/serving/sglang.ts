import { BcodError } from '../errors.js'
import { listModels, type ModelServer, requireLogps } from './model-server.js'
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

  async logps({ name, isBase }, tokens) {
    const answer = await ask(endpoint, 'POST', '/generate', {
      input_ids: tokens,
      sampling_params: { max_new_tokens: 1, temperature: 0 },
      return_logprob: true,
      logprob_start_len: 0,
      ...(!isBase && { lora_path: name }),
    })
    if (answer.status !== 200) throw new BcodError('SERVING_ANSWER', reasonOf(answer), { place: endpoint.place })
    const meta = (answer.json as Generated | undefined)?.meta_info
    // [log-probability, token id, text] of each token of the prompt; the first has none
    const rows = Array.isArray(meta?.input_token_logprobs) ? (meta.input_token_logprobs as readonly unknown[][]) : []
    const found = rows.slice(1).map(([logp, id], i) => (id === tokens[i + 1] ? logp : undefined))
    return requireLogps(found, tokens, endpoint.place)
  },
})

interface Generated {
  readonly meta_info?: { readonly input_token_logprobs?: unknown }
}

const succeeded = ({ status, json }: Answer): boolean =>
  status === 200 && (json as { readonly success?: unknown } | undefined)?.success === true
