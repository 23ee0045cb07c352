import { BcodError } from '../errors.js'
import { asJson, bearer, exchange, HttpFailure } from '../http/exchange.js'

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
 * Asks a server once.
 *
 * @throws SERVING_UNREACHABLE if there is no whole answer in time, or a proxy says that the server is away
 * @throws SERVING_UNAUTHORIZED, SERVING_ANSWER for a redirect
 */
export async function ask(endpoint: Endpoint, method: string, path: string, body?: unknown): Promise<Answer> {
  const { status, text } = await answerOf(endpoint, method, path, body)
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

async function answerOf(
  { url, place, address, apiKey, timeout }: Endpoint,
  method: string,
  path: string,
  body: unknown,
): Promise<Pick<Answer, 'status' | 'text'>> {
  const content = body === undefined ? { headers: bearer(apiKey) } : asJson(body, apiKey)
  const asked = { method, url: `${url}${path}`, ...content, address, timeout, maxAnswer: MAX_ANSWER }
  const answer = await exchange(asked).catch((error: unknown) => {
    if (!(error instanceof HttpFailure)) throw error
    throw new BcodError('SERVING_UNREACHABLE', error.message, { place, cause: error })
  })
  return { status: answer.status, text: answer.body.toString() }
}
