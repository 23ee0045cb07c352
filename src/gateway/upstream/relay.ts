import type { Dispatcher } from 'undici'
import { BcodError } from '../../errors.js'
import { askServer, type Begun } from './ask-server.js'
import type { Upstream, Upstreams } from './upstreams.js'

/** A request to a model server. */
export interface RelayRequest {
  readonly method: Dispatcher.HttpMethod
  /** After `/v1`, with the query. */
  readonly path: string
  readonly headers: Record<string, string | string[]>
  readonly body: Buffer | null
  /** Aborted when the client has left. */
  readonly signal: AbortSignal
}

/** No byte of the request has reached a server. */
const NOT_CONNECTED: ReadonlySet<string> = new Set([
  ...['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT'],
])
const TIMEOUTS: ReadonlySet<string> = new Set(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

/**
 * Asks one of the model servers. A request goes to another one only if the first did not take the connection: an answer
 * that has begun somewhere is never asked for twice.
 *
 * @throws UPSTREAM_UNREACHABLE, UPSTREAM_TIMEOUT; the signal's reason
 */
export async function relay(upstreams: Upstreams, dispatcher: Dispatcher, request: RelayRequest): Promise<Begun> {
  const order = upstreams.order()
  for (const [i, upstream] of order.entries()) {
    try {
      return await ask(upstream, dispatcher, request)
    } catch (error) {
      request.signal.throwIfAborted()
      const code = String((error as NodeJS.ErrnoException).code)
      if (NOT_CONNECTED.has(code)) upstreams.report(upstream, false)
      if (!NOT_CONNECTED.has(code) || i === order.length - 1) throw relayError(error, upstream)
    }
  }
  throw new BcodError('UPSTREAM_UNREACHABLE', 'there is none', { place: 'gateway.upstreams' })
}

async function ask(upstream: Upstream, dispatcher: Dispatcher, request: RelayRequest): Promise<Begun> {
  const { base } = upstream
  const { method, path, headers, body, signal } = request
  upstream.inFlight++
  try {
    const options = { origin: base.origin, path: `${base.pathname}${path}`, method, headers, body }
    const answer = await askServer(dispatcher, options, signal)
    answer.body.once('close', () => upstream.inFlight--)
    return answer
  } catch (error) {
    upstream.inFlight--
    throw error
  }
}

/** An error as clients and logs see it. Its message names no address but that of the server. */
export function relayError(error: unknown, { name }: Pick<Upstream, 'name'>): BcodError {
  const code = String((error as NodeJS.ErrnoException).code ?? (error as Error).name)
  const details = { place: name, cause: error }
  return TIMEOUTS.has(code)
    ? new BcodError('UPSTREAM_TIMEOUT', 'the model server does not answer', details)
    : new BcodError('UPSTREAM_UNREACHABLE', `no answer from the model server (${code})`, details)
}
