import { type ClientRequest, request as httpRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { BcodError } from '../errors.js'

/** Where one server answers, and how it is asked. */
export interface Endpoint {
  /** Base URL without a slash at its end. */
  readonly url: string
  /** How an error names it. */
  readonly place: string
  /** IP address to connect to in place of the URL's host, whose name is still told to the server; null: the host. */
  readonly address: string | null
  readonly apiKey: string | null
  /** Milliseconds that one request may take, its answer included. */
  readonly timeout: number
}

export interface Answer {
  readonly status: number
  readonly text: string
  /** The body as JSON; undefined if it is none, such as the bare text with which vLLM reports a success. */
  readonly json: unknown
}

/** An answer of more bytes is not read. */
const MAX_ANSWER = 4 << 20

/**
 * Asks a server once. It never waits longer than the endpoint's timeout, follows no redirect, which would take the API
 * key elsewhere, and keeps no connection, which a restart would leave dead.
 *
 * @throws SERVING_UNREACHABLE if there is no whole answer in time, or a proxy says that the server is away
 * @throws SERVING_UNAUTHORIZED, SERVING_ANSWER for a redirect
 */
export async function ask(endpoint: Endpoint, method: string, path: string, body?: unknown): Promise<Answer> {
  const { status, text } = await exchange(endpoint, method, path, body)
  const failure = (code: 'SERVING_UNREACHABLE' | 'SERVING_UNAUTHORIZED' | 'SERVING_ANSWER', message: string) =>
    new BcodError(code, message, { place: endpoint.place })
  if (status === 401 || status === 403) throw failure('SERVING_UNAUTHORIZED', `status ${status} to ${method} ${path}`)
  if (status === 429 || (status >= 502 && status <= 504)) throw failure('SERVING_UNREACHABLE', `status ${status}`)
  if (status >= 300 && status < 400) throw failure('SERVING_ANSWER', `it redirects (status ${status})`)
  return { status, text, json: parsed(text) }
}

/** What a server says of an error, at most 300 characters of it. */
export function reasonOf({ status, text, json }: Answer): string {
  const said = json as { readonly error?: { readonly message?: unknown }; readonly error_message?: unknown } | undefined
  const message = said?.error?.message ?? said?.error_message ?? text
  return `status ${status}: ${String(message).slice(0, 300)}`
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function exchange(
  { url, place, address, apiKey, timeout }: Endpoint,
  method: string,
  path: string,
  body: unknown,
): Promise<Pick<Answer, 'status' | 'text'>> {
  const whole = new URL(`${url}${path}`)
  const payload = body === undefined ? null : Buffer.from(JSON.stringify(body))
  const signal = AbortSignal.timeout(timeout)
  const options = {
    method,
    signal,
    agent: false,
    ...(address !== null && { hostname: address, servername: whole.hostname }),
    headers: {
      host: whole.host,
      ...(payload !== null && { 'content-type': 'application/json', 'content-length': payload.length }),
      ...(apiKey !== null && { authorization: `Bearer ${apiKey}` }),
    },
  }
  return new Promise((resolve, reject) => {
    const failed = (error: Error) =>
      reject(
        new BcodError(
          'SERVING_UNREACHABLE',
          signal.aborted
            ? `no answer within ${timeout} ms`
            : `no answer (${(error as NodeJS.ErrnoException).code ?? error.message})`,
          { place },
        ),
      )
    const open: typeof httpRequest = whole.protocol === 'https:' ? httpsRequest : httpRequest
    const request: ClientRequest = open(whole, options, (response) => collect(response, resolve, failed))
    request.on('error', failed)
    request.end(payload ?? undefined)
  })
}

function collect(
  response: IncomingMessage,
  done: (answer: { readonly status: number; readonly text: string }) => void,
  failed: (error: Error) => void,
): void {
  const chunks: Buffer[] = []
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size > MAX_ANSWER) response.destroy(new Error(`its answer has more than ${MAX_ANSWER} bytes`))
    else chunks.push(chunk)
  })
  response.on('error', failed)
  response.on('end', () => done({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }))
}
