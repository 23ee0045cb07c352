import { VllmServer } from '../../scripts/vllm/server.mjs'

/** What a server said of one prompt, decoded greedily. */
export interface Answer {
  /** The name that the answer says has written it. */
  readonly model: string
  readonly text: string
  readonly promptTokens: readonly number[]
  readonly tokens: readonly number[]
  /** Of each of `tokens`. */
  readonly logps: readonly number[]
}

/** vLLM itself, and what it says without the gateway. */
export class RealVllm extends VllmServer {
  async answer(model: string, question: string, maxTokens: number): Promise<Answer> {
    const response = await fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      // a learner in this thread takes so long now and then that the server has closed a kept connection
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({
        ...{ model, messages: [{ role: 'user', content: question }], max_tokens: maxTokens, temperature: 0 },
        ...{ return_token_ids: true, logprobs: true, top_logprobs: 0 },
      }),
    })
    const body = (await response.json()) as ChatAnswer
    if (!response.ok) throw new Error(`status ${response.status}: ${JSON.stringify(body)}\n${this.lastLines()}`)
    const [choice] = body.choices
    return {
      model: body.model,
      text: choice.message.content,
      promptTokens: body.prompt_token_ids,
      tokens: choice.token_ids,
      logps: choice.logprobs.content.map(({ logprob }) => logprob),
    }
  }

  /** Names that it answers under: the base model, then each adapter. */
  async models(): Promise<readonly string[]> {
    const response = await fetch(`${this.url}/v1/models`)
    const { data } = (await response.json()) as { readonly data: readonly { readonly id: string }[] }
    return data.map(({ id }) => id)
  }
}

interface ChatAnswer {
  readonly model: string
  readonly prompt_token_ids: readonly number[]
  readonly choices: readonly [
    {
      readonly message: { readonly content: string }
      readonly token_ids: readonly number[]
      readonly logprobs: { readonly content: readonly { readonly logprob: number }[] }
    },
  ]
}
