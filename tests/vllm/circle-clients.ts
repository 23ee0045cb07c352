import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import OpenAI from 'openai'
import { onTestFinished } from 'vitest'
import { vllmEnvironment } from '../../scripts/vllm/environment.mjs'

/** Of `chat.completions.create`. */
export type Request = Omit<OpenAI.ChatCompletionCreateParams, 'stream'> & { readonly stream: boolean }

export interface Said {
  readonly id: string
  readonly model: string
  readonly text: string
  /** Arguments of the call of a tool; empty without one. */
  readonly call: string
  /** `X-Bcod-Adapter` */
  readonly adapter: string | null
  /** `X-Bcod-Vote` */
  readonly token: string | null
}

export interface Vote {
  readonly completion: string
  readonly label: boolean
  readonly token?: string | null
}

/** What a client of OpenAI's calls an error of the server. */
export interface Refused {
  readonly error: string
  readonly status: number
}

/** An application with a client of OpenAI's, of which only the base URL is of this project. */
export interface Application {
  readonly name: string
  ask(request: Request): Promise<Said>
  refusal(request: Request): Promise<Refused>
  /** Fails unless the vote was accepted. @returns the id of its event */
  vote(vote: Vote): Promise<string>
}

/** OpenAI's client for Node, which votes with the token of the answer. */
export function nodeApplication(baseURL: string): Application {
  const client = new OpenAI({ baseURL, apiKey: 'a user', maxRetries: 0 })
  const ask = async ({ stream, ...request }: Request): Promise<Said> => {
    let said = { id: '', model: '', text: '', call: '' }
    if (!stream) {
      const { data, response } = await client.chat.completions.create(request).withResponse()
      const { content, tool_calls: calls = [] } = data.choices[0]!.message
      const call = calls.map((each) => ('function' in each ? each.function.arguments : '')).join('')
      return { id: data.id, model: data.model, text: content ?? '', call, ...headersOf(response) }
    }
    const { data, response } = await client.chat.completions.create({ ...request, stream }).withResponse()
    for await (const { id, model, choices } of data) {
      const delta = choices[0]?.delta
      const call = said.call + (delta?.tool_calls ?? []).map((part) => part.function?.arguments ?? '').join('')
      said = { id, model, text: said.text + (delta?.content ?? ''), call }
    }
    return { ...said, ...headersOf(response) }
  }
  return {
    ...{ name: 'Node', ask },
    refusal: (request) =>
      ask(request).then(
        ({ text }) => Promise.reject(new Error(`no error but ${text}`)),
        (error) => ({ error: error.constructor.name, status: error.status }),
      ),
    vote: async (body) => ((await client.post('/feedback', { body })) as { readonly event: string }).event,
  }
}

const headersOf = ({ headers }: Response) => ({
  adapter: headers.get('x-bcod-adapter'),
  token: headers.get('x-bcod-vote'),
})

/** OpenAI's client for Python, in a process of its own, which votes with an API key of the gateway. */
export function pythonApplication(baseURL: string, apiKey: string): Application {
  const { PYTHONPATH: _, ...env } = process.env
  const script = fileURLToPath(new URL('circle_client.py', import.meta.url))
  const child = spawn(vllmEnvironment(), [script], {
    env: { ...env, OPENAI_BASE_URL: baseURL, OPENAI_API_KEY: apiKey },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  // one after the other: each line of the process answers the one before it
  const say = async (verb: string, what: object): Promise<Said & Refused & { readonly event: string }> => {
    child.stdin.write(`${JSON.stringify([verb, what])}\n`)
    const { value, done } = await lines.next()
    if (done) throw new Error('the Python process has ended')
    return JSON.parse(value)
  }
  const succeed = async (verb: string, what: object) => {
    const said = await say(verb, what)
    if (said.error !== undefined) throw new Error(`${said.error}: status ${said.status}`)
    return said
  }
  return {
    name: 'Python',
    ask: (request) => succeed('ask', request),
    refusal: (request) => say('ask', request),
    vote: async ({ completion, label }) => (await succeed('vote', { completion, label })).event,
  }
}
