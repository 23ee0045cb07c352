import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

/** One request and what vLLM 0.32.0 answered to it. */
export interface Recorded {
  readonly title: string
  readonly method: string
  readonly path: string
  readonly request: Readonly<Record<string, unknown>> | null
  readonly status: number
  readonly content_type: string | null
  readonly response: string
}

export const RECORDED: readonly Recorded[] = JSON.parse(
  readFileSync(new URL('../golden/vllm/answers.json', import.meta.url), 'utf8'),
)

export function recorded(title: string): Recorded {
  const found = RECORDED.find((each) => each.title === title)
  if (found === undefined) throw new Error(`no answer was recorded for "${title}"`)
  return found
}

/** Log-probability of a token after a prompt; `model` is a directory that was loaded, or null for the base. */
export type Logp = (model: string | null, id: number, prompt: readonly number[]) => number

/** What goes wrong with the next requests. */
export type Fault = 'answers 500' | 'hangs' | 'closes the connection' | 'closes it after loading' | null

/**
 * A server that answers as vLLM 0.32.0 was recorded: statuses, bodies and content types are the recorded ones, with its
 * own names and paths in them.
 */
export class RecordedVllm {
  readonly adapters = new Map<string, string>()
  /** `METHOD path` of each request, with the adapter's name if there is one. */
  readonly requests: string[] = []
  /** The body of each request that has one. */
  readonly bodies: unknown[] = []
  fault: Fault = null
  /** Awaited before a request is answered, which `requests` names. */
  before: (request: string) => Promise<void> | void = () => {}
  /** A load is answered as this one was. */
  loadAnswer: string | null = null
  /** Answers with the base model under every name. */
  servesBase = false
  apiKey: string | null = null
  /** Started with VLLM_ALLOW_RUNTIME_LORA_UPDATING. */
  loadsAtRunTime = true
  /** `--max-loras`. */
  maxLoras = 2
  /** Has the routes of SageMaker, as every vLLM that was recorded. */
  hasAdaptersRoute = true
  logp: Logp = () => -1
  /** The `host` header of the last request. */
  host: string | undefined
  readonly #server: Server = createServer((request, response) => void this.#answer(request, response))

  static async start(
    settings: Partial<Pick<RecordedVllm, 'apiKey' | 'logp' | 'loadAnswer'>> = {},
  ): Promise<RecordedVllm> {
    const server = Object.assign(new RecordedVllm(), settings)
    await server.listen(0)
    onTestFinished(() => server.close())
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  port = 0

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    this.port = (this.#server.address() as AddressInfo).port
  }

  /** Nothing listens any more. */
  async close(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  /** A process in its place, which has loaded nothing. */
  async restart(): Promise<void> {
    this.adapters.clear()
    await this.listen(this.port)
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readJson(request)
    if (request.method === 'POST') this.bodies.push(body)
    const name = body.lora_name ?? body.model
    const asked = [request.method, request.url, name].filter((part) => part !== undefined).join(' ')
    this.requests.push(asked)
    await this.before(asked)
    this.host = request.headers.host
    if (this.fault === 'hangs') return
    if (this.fault === 'closes the connection') return void response.destroy()
    if (this.fault === 'answers 500') return send(response, 500, 'text/plain', 'Internal Server Error')
    if (this.apiKey !== null && request.url?.startsWith('/v1') && !this.#isAuthorized(request))
      return play(response, recorded('load: no API key'))
    const answer = this.#route(`${request.method} ${request.url}`, body)
    if (this.fault === 'closes it after loading' && request.url === '/v1/load_lora_adapter')
      return void response.destroy()
    play(response, answer)
  }

  #isAuthorized({ headers }: IncomingMessage): boolean {
    return headers.authorization === `Bearer ${this.apiKey}`
  }

  #route(route: string, body: Body): Recorded {
    switch (route) {
      case 'GET /v1/models':
        return this.#models()
      case 'POST /v1/load_lora_adapter':
        return this.#load(body)
      case 'POST /v1/unload_lora_adapter':
        return this.#unload(body)
      case 'POST /v1/completions':
        return this.#complete(body)
      case 'GET /metrics':
        return this.#metrics()
      default:
        return this.hasAdaptersRoute && route.startsWith('DELETE /adapters/')
          ? recorded('unload: unknown')
          : recorded('one model by id')
    }
  }

  #models(): Recorded {
    const answer = recorded('models, two loaded')
    const { object, data } = JSON.parse(answer.response)
    const [base, card] = data
    const loaded = [...this.adapters].map(([id, root]) => ({ ...card, id, root }))
    return { ...answer, response: JSON.stringify({ object, data: [base, ...loaded] }) }
  }

  #metrics(): Recorded {
    const answer = recorded('metrics, LoRA')
    return { ...answer, response: answer.response.replaceAll('max_lora="2"', `max_lora="${this.maxLoras}"`) }
  }

  #load({ lora_name: name, lora_path: path }: Body): Recorded {
    if (!this.loadsAtRunTime) return recorded('load: no runtime updating')
    if (this.loadAnswer !== null) return recorded(this.loadAnswer)
    if (name === undefined || path === undefined) return recorded('load: no lora_path')
    if (this.adapters.has(name)) return named(recorded('load: same name again'), 'new', name)
    this.adapters.set(name, path)
    return named(recorded('load: new name'), 'new', name)
  }

  #unload({ lora_name: name = '' }: Body): Recorded {
    return this.adapters.delete(name)
      ? named(recorded('unload: known'), 'new', name)
      : named(recorded('unload: unknown'), 'never', name)
  }

  #complete({ model = '', prompt = [], logprobs: count = 0 }: Body): Recorded {
    const directory = this.adapters.get(model)
    if (directory === undefined && model !== 'demo') return named(recorded('completion with never'), 'never', model)
    const answer = recorded('completion, logprobs with tokens as ids')
    const parsed = JSON.parse(answer.response)
    const asked = this.servesBase ? null : (directory ?? null)
    const ids = Array.from({ length: count }, (_, i) => ((prompt.at(-1) ?? 0) + 7 * i) % 90)
    const top = ids.map((id) => [id, this.logp(asked, id, prompt)] as const)
    if (!top.every(([, logp]) => Number.isFinite(logp))) return recorded('completion with bad-nan')
    const [choice] = parsed.choices
    choice.logprobs.top_logprobs = [Object.fromEntries(top.map(([id, logp]) => [`token_id:${id}`, logp]))]
    return { ...answer, response: JSON.stringify({ ...parsed, model, choices: [choice] }) }
  }
}

interface Body {
  readonly lora_name?: string
  readonly lora_path?: string
  readonly model?: string
  readonly prompt?: readonly number[]
  readonly logprobs?: number
}

async function readJson(request: IncomingMessage): Promise<Body> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length === 0 ? {} : JSON.parse(Buffer.concat(chunks).toString())
}

/** The same answer about another name. */
const named = (answer: Recorded, from: string, to: string): Recorded => ({
  ...answer,
  response: answer.response.replace(`'${from}'`, `'${to}'`).replace(`\`${from}\``, `\`${to}\``),
})

const play = (response: ServerResponse, { status, content_type: type, response: body }: Recorded) =>
  send(response, status, type, body)

function send(response: ServerResponse, status: number, type: string | null, body: string): void {
  response.writeHead(status, type === null ? {} : { 'content-type': type })
  response.end(body)
}
