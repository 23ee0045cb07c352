import { BcodError } from '../errors.js'
import { LIKELIEST, listModels, type ModelServer, requireTokens } from './model-server.js'
import { type Answer, ask, type Endpoint, reasonOf } from './request.js'

/** vLLM's OpenAI-compatible server, started with `--enable-lora` and `VLLM_ALLOW_RUNTIME_LORA_UPDATING=True`. */
export const vllm = (endpoint: Endpoint): ModelServer => ({
  models: () => listModels(endpoint),

  async load(name, directory) {
    // never load_inplace: vLLM 0.15 to 0.32 reads the files again at each token then, and ends once they are gone
    const answer = await ask(endpoint, 'POST', '/v1/load_lora_adapter', { lora_name: name, lora_path: directory })
    if (answer.status !== 200) throw refusal(answer, endpoint.place)
  },

  async unload(name) {
    const answer = await ask(endpoint, 'POST', '/v1/unload_lora_adapter', { lora_name: name })
    if (answer.status !== 200 && answer.status !== 404) throw refusal(answer, endpoint.place)
  },

  async likeliest({ name }, prompt) {
    // never prompt_logprobs: with LoRA they end a vLLM (0.32, on the CPU) that has another request in the same batch
    const answer = await ask(endpoint, 'POST', '/v1/completions', {
      ...{ model: name, prompt, max_tokens: 1, temperature: 0 },
      ...{ logprobs: LIKELIEST, return_tokens_as_token_ids: true },
    })
    if (answer.status !== 200) throw new BcodError('SERVING_ANSWER', reasonOf(answer), { place: endpoint.place })
    const [first] = (answer.json as Completion | undefined)?.choices?.[0]?.logprobs?.top_logprobs ?? []
    const found = Object.entries(first ?? {}).map(([token, logp]) => ({ id: idOf(token), logp }))
    return requireTokens(found, endpoint.place)
  },
})

interface Completion {
  readonly choices?: readonly {
    /** By token, at each position. */
    readonly logprobs?: { readonly top_logprobs?: readonly Readonly<Record<string, number>>[] | null } | null
  }[]
}

/** `token_id:418` → 418 */
const idOf = (token: string): number => Number(/^token_id:(\d+)$/.exec(token)?.[1])

/** vLLM answers 500 to an adapter that it can never load, so the status does not tell whether asking again may help. */
function refusal(answer: Answer, place: string): BcodError {
  const message = reasonOf(answer)
  const remedy = REMEDIES.find(([pattern]) => pattern.test(message))?.[1]
  return new BcodError('SERVING_REFUSED', message, { place, ...(remedy !== undefined && { remedy }) })
}

const REMEDIES: readonly (readonly [RegExp, string])[] = [
  [
    /greater than max_lora_rank/,
    'Start vLLM with --max-lora-rank of at least lora.r: 1, 8, 16, 32, 64, 128, 256, 320 or 512.',
  ],
  [/LoRA is not enabled/, 'Start vLLM with --enable-lora.'],
  [/"detail":"Not Found"/, 'Start vLLM with VLLM_ALLOW_RUNTIME_LORA_UPDATING=True and one API server.'],
  [
    /No adapter found for/,
    'The server does not see the directory: mount the registry into it, and set path of the target to where it is there.',
  ],
]
