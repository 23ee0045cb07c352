import { type IncomingHttpHeaders, type IncomingMessage, request as openHttp, type RequestOptions } from 'node:http'
import { request as openHttps } from 'node:https'

/** One request to another program. */
export interface HttpRequest {
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** null: none. */
  readonly body?: string | Uint8Array | null
  /** IP address to connect to in place of the URL's host, whose name is still told to the server. @default the host */
  readonly address?: string | null
  /** Milliseconds that the whole exchange may take, its answer included. */
  readonly timeout: number
  /** Longest answer that is read, in bytes. */
  readonly maxAnswer: number
  /** Aborted when nobody waits for the answer any more. */
  readonly signal?: AbortSignal
}

/** What came back, whatever its status. */
export interface HttpAnswer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** Why there is no whole answer. The message names nothing of what was sent. */
export class HttpFailure extends Error {
  override readonly name = 'HttpFailure'

  constructor(
    readonly kind: 'timeout' | 'too long' | 'connection',
    message: string,
    cause?: unknown,
  ) {
    super(message, { cause })
  }
}

/**
 * Asks once. Redirects are not followed, because they would take body and token elsewhere: they are answers. No connection
 * is kept, because a restart would leave it dead. Certificates are verified.
 *
 * @throws HttpFailure, the signal's reason
 */
export async function exchange(request: HttpRequest): Promise<HttpAnswer> {
  const { timeout, maxAnswer, signal } = request
  const limit = AbortSignal.timeout(timeout)
  try {
    const response = await responseTo(request, signal === undefined ? limit : AbortSignal.any([signal, limit]))
    return { status: response.statusCode ?? 0, headers: response.headers, body: await bodyOf(response, maxAnswer) }
  } catch (error) {
    signal?.throwIfAborted()
    if (limit.aborted) throw new HttpFailure('timeout', `no answer within ${timeout} ms`)
    if (error instanceof HttpFailure) throw error
    const { code, name } = error as NodeJS.ErrnoException
    throw new HttpFailure('connection', `no connection (${code ?? name})`, error)
  }
}

/** Headers and body of a request that sends JSON, and a bearer token if there is one. */
export const asJson = (value: unknown, token: string | null): Pick<HttpRequest, 'headers' | 'body'> => ({
  headers: { 'content-type': 'application/json', ...bearer(token) },
  body: JSON.stringify(value),
})

/** The header of a bearer token; none for null. */
export const bearer = (token: string | null): Readonly<Record<string, string>> =>
  token === null ? {} : { authorization: `Bearer ${token}` }

function responseTo(
  { method, url, headers, body = null, address = null }: HttpRequest,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  const whole = new URL(url)
  const options: RequestOptions & { readonly servername?: string } = {
    ...{ method, signal, agent: false },
    ...(address !== null && { hostname: address, servername: whole.hostname }),
    headers: {
      host: whole.host,
      ...(body !== null && { 'content-length': Buffer.byteLength(body) }),
      ...headers,
    },
  }
  return new Promise((resolve, reject) => {
    const open: typeof openHttp = whole.protocol === 'https:' ? openHttps : openHttp
    const request = open(whole, options, resolve)
    request.on('error', reject)
    request.end(body ?? undefined)
  })
}

async function bodyOf(response: IncomingMessage, longest: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > longest) throw new HttpFailure('too long', `its answer has more than ${longest} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
