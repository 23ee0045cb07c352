import type { IncomingMessage, ServerResponse } from 'node:http'

/** What a route answers. */
export interface Answer {
  readonly status: number
  readonly type: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export const json = (status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Answer => ({
  status,
  type: 'application/json; charset=utf-8',
  body: `${JSON.stringify(value)}\n`,
  headers,
})

/** `{ "error": { "code": …, "message": … } }` */
export const failure = (
  status: number,
  code: string,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Answer => json(status, { error: { code, message } }, headers)

export const notFound = (): Answer => failure(404, 'NOT_FOUND', 'There is nothing at this path.')

export const methodNotAllowed = (allowed: readonly string[]): Answer =>
  failure(405, 'METHOD_NOT_ALLOWED', `This path takes ${allowed.join(', ')}.`, { allow: allowed.join(', ') })

/** Writes the answer; a HEAD request gets its headers alone, and so does one for what the client has already. */
export function send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
  const etag = answer.headers?.etag
  if (etag !== undefined && request.headers['if-none-match'] === etag) {
    response.writeHead(304, { ...answer.headers }).end()
    return
  }
  response.writeHead(answer.status, {
    'content-type': answer.type,
    'content-length': Buffer.byteLength(answer.body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    ...answer.headers,
  })
  response.end(request.method === 'HEAD' ? undefined : answer.body)
}
