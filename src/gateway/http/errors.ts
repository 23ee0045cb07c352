import { BcodError, type ErrorCode } from '../../errors.js'
import { relayError } from '../upstream/relay.js'

const STATUS: Partial<Record<ErrorCode, number>> = {
  VOTE_INVALID: 400,
  VOTE_UNAUTHORISED: 401,
  VOTE_TOKEN_INVALID: 403,
  COMPLETION_UNKNOWN: 404,
  PATH_REFUSED: 404,
  COMPLETION_EXPIRED: 410,
  REQUEST_TOO_LARGE: 413,
  COMPLETION_NOT_VOTABLE: 422,
  VOTE_RATE: 429,
  UPSTREAM_UNREACHABLE: 502,
  LOG_UNAVAILABLE: 503,
  UPSTREAM_TIMEOUT: 504,
}

/** The status of an error; 500 for what nobody foresaw. */
export const statusOf = (error: BcodError | null): number => (error === null ? 500 : (STATUS[error.code] ?? 500))

/** The body of an error, as OpenAI's API has it. */
export function errorBody(error: BcodError | null): object {
  if (error === null) return { error: { code: 'INTERNAL', message: 'unexpected error', type: 'server_error' } }
  const { code, message, place, remedy } = error
  const type = statusOf(error) >= 500 ? 'server_error' : 'invalid_request_error'
  return { error: { code, message: `${message}${place === undefined ? '' : ` (${place})`}. ${remedy}`, type } }
}

/** The coded error for one of Fastify or of a connection to a model server; null for what nobody foresaw. */
export function codedError(error: unknown, maxBodyBytes: number): BcodError | null {
  if (error instanceof BcodError) return error
  const code = String(((error ?? {}) as { readonly code?: unknown }).code)
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new BcodError('REQUEST_TOO_LARGE', `the body is longer than ${maxBodyBytes} bytes`, { place: 'body' })
  return CONNECTION.test(code) ? relayError(error, { name: 'gateway.upstreams' }) : null
}

const CONNECTION = /^(UND_ERR_|ECONN|EPIPE$)/
