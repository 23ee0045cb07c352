import { readFile } from 'node:fs/promises'
import { BcodError } from '../../errors.js'
import { FinalFailure } from './failure.js'
import type { TokenSource } from './options.js'

export interface TokenEndpoint {
  readonly url: string
  readonly clientId: string
  readonly clientSecret: string
  readonly scope: string | null
}

const ENDPOINT_LIMIT_MS = 10_000
/** A token is renewed after this share of its lifetime. */
const USED_SHARE = 0.8
/** Lifetime of a token if the endpoint does not state it. */
const DEFAULT_LIFE_S = 300

/** A token from a file that another process renews, such as a projected service account token. */
export const fileToken =
  (path: string): TokenSource =>
  async () => {
    const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw refused(`the token cannot be read (${error.code ?? 'unknown'})`, path, error)
    })
    if (text.trim() === '') throw refused('the token is empty', path)
    return text.trim()
  }

/**
 * Tokens by the client credentials grant (RFC 6749, section 4.4), each used for most of its lifetime.
 *
 * @throws KAFKA_LOGIN_FAILED if the endpoint refuses, KAFKA_UNREACHABLE if it does not answer
 */
export function endpointToken(endpoint: TokenEndpoint): TokenSource {
  let kept: { readonly token: string; readonly until: number } | null = null
  return async () => {
    if (kept !== null && Date.now() < kept.until) return kept.token
    const asked = Date.now()
    const { access_token: token, expires_in: life = DEFAULT_LIFE_S } = await grant(endpoint)
    if (typeof token !== 'string' || token === '')
      throw refused('it answered without an access_token', printable(endpoint.url))
    kept = { token, until: asked + 1000 * USED_SHARE * (Number(life) || 0) }
    return token
  }
}

interface Grant {
  readonly access_token?: unknown
  readonly expires_in?: unknown
}

async function grant({ url, clientId, clientSecret, scope }: TokenEndpoint): Promise<Grant> {
  const place = printable(url)
  const words = [clientId, clientSecret].map(encodeURIComponent).join(':')
  const response = await fetch(url, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(words).toString('base64')}`, accept: 'application/json' },
    body: new URLSearchParams({ grant_type: 'client_credentials', ...(scope !== null && { scope }) }),
    // a redirect would take the client secret elsewhere
    redirect: 'manual',
    signal: AbortSignal.timeout(ENDPOINT_LIMIT_MS),
  }).catch((error: Error) => {
    throw unreachable(error.name === 'TimeoutError' ? 'no answer' : error.message, place, error)
  })
  if (response.status >= 500) throw unreachable(`it answered with status ${response.status}`, place)
  if (isRedirect(response)) throw refused(`it redirects (status ${response.status}), which is not followed`, place)
  if (!response.ok) throw refused(`it answered with status ${response.status}`, place)
  const answer: unknown = await response.json().catch(() => null)
  if (typeof answer !== 'object' || answer === null) throw refused('its answer is no JSON object', place)
  return answer
}

const isRedirect = ({ status }: Response): boolean => status >= 300 && status < 400

/** The query of a URL may hold a key. */
const printable = (url: string): string => url.replace(/[?#].*$/, '')

const refused = (message: string, place: string, cause?: unknown): FinalFailure =>
  new FinalFailure(new BcodError('KAFKA_LOGIN_FAILED', message, { place, cause }))

const unreachable = (message: string, place: string, cause?: unknown): BcodError =>
  new BcodError('KAFKA_UNREACHABLE', message, { place, cause })
