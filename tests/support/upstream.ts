import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A request as a model server got it. */
export interface Received {
  readonly method: string
  readonly url: string
  readonly headers: IncomingMessage['headers']
  readonly body: Buffer
}

export type Handler = (request: Received, response: ServerResponse) => void | Promise<void>

/** A stand-in for a model server, which does what a test tells it to, to the byte. */
export class StandInUpstream {
  readonly received: Received[] = []
  /** Connections that clients closed before the answer was whole. */
  left = 0

  private constructor(
    private readonly server: Server,
    public handle: Handler,
  ) {}

  static async start(handle: Handler = answerChat): Promise<StandInUpstream> {
    const server = createServer()
    const upstream = new StandInUpstream(server, handle)
    server.on('request', (request, response) => void upstream.#take(request, response))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return upstream
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  get last(): Received {
    return this.received.at(-1) as Received
  }

  async close(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const { method = '', url = '', headers } = request
    const received = { method, url, headers, body: Buffer.concat(pieces) }
    if (url !== '/v1/models') this.received.push(received)
    response.once('close', () => {
      if (!response.writableFinished) this.left += 1
    })
    await this.handle(received, response)
  }
}

/** As vLLM 0.15 answers, shortened. */
export const CHAT = {
  ...{ id: 'chatcmpl-8a2c', object: 'chat.completion', created: 1_764_300_000, model: 'bcod-v00000012' },
  choices: [
    {
      ...{ index: 0, finish_reason: 'stop', logprobs: null },
      message: { role: 'assistant', content: 'Grüße aus 東京 🗼', tool_calls: [] },
    },
  ],
  usage: { prompt_tokens: 5, completion_tokens: 7, total_tokens: 12 },
}

/** The events of a stream, as text. */
export const CHAT_EVENTS: readonly string[] = [
  ...[{ role: 'assistant', content: '' }, { content: 'Grüße ' }, { content: 'aus 東京 ' }, { content: '🗼' }].map(
    (delta) => event({ index: 0, delta, finish_reason: null }),
  ),
  event({ index: 0, delta: {}, finish_reason: 'stop' }),
  'data: [DONE]\n\n',
]

function event(choice: object): string {
  const { id, created, model } = CHAT
  return `data: ${JSON.stringify({ id, object: 'chat.completion.chunk', created, model, choices: [choice] })}\n\n`
}

/** A whole answer, or a stream if one is asked for. */
export const answerChat: Handler = ({ url, body }, response) => {
  if (url === '/v1/models') return json(response, { object: 'list', data: MODELS })
  const isStream = JSON.parse(body.toString() || '{}').stream === true
  if (!isStream) return json(response, CHAT)
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  for (const text of CHAT_EVENTS) response.write(text)
  response.end()
}

export const MODELS = ['base', 'bcod-v00000011', 'bcod-v00000012'].map((id) => ({ id, object: 'model' }))

export function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json', server: 'uvicorn' })
  response.end(JSON.stringify(value))
}
