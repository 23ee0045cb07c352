import { createHmac } from 'node:crypto'
import { errors, jwtVerify } from 'jose'
import { BcodError } from '../errors.js'

/** What a vote token allows: votes of one user on one answer, for a time. */
export interface VoteToken {
  /** The id of the answer; it covers all its choices. */
  readonly completion: string
  /** The salted hash of the user who asked; null if the request named nobody. */
  readonly user: string | null
  readonly expires: Date
}

const AUDIENCE = 'bcod-vote'
const ALGORITHM = 'HS256'

const base64url = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
const HEADER = base64url({ alg: ALGORITHM })

/**
 * A JSON Web Token (RFC 7519) with HMAC-SHA-256. It is signed here and not by the library that reads it: every answer needs
 * one, and the library's way through a thread of its own took a sixth of the time of an answer.
 *
 * @param key  at least 32 bytes, the same in every replica
 */
export function signVoteToken({ completion, user, expires }: VoteToken, key: Uint8Array): string {
  const seconds = Math.floor(expires.getTime() / 1000)
  const claims = { ...(user !== null && { user }), sub: completion, aud: AUDIENCE, exp: seconds }
  const signed = `${HEADER}.${base64url(claims)}`
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`
}

/**
 * Reads a token that one of the keys has signed: more than one while a key is being replaced.
 *
 * @throws VOTE_TOKEN_INVALID if it is none, was signed by another key, or has expired
 */
export async function readVoteToken(token: string, keys: readonly Uint8Array[], now: Date): Promise<VoteToken> {
  for (const key of keys) {
    try {
      const options = { algorithms: [ALGORITHM], audience: AUDIENCE, currentDate: now, requiredClaims: ['sub', 'exp'] }
      const { payload } = await jwtVerify(token, key, options)
      const { sub, exp, user } = payload as { readonly sub: string; readonly exp: number; readonly user?: unknown }
      return { completion: sub, user: typeof user === 'string' ? user : null, expires: new Date(exp * 1000) }
    } catch (error) {
      if (error instanceof errors.JWSSignatureVerificationFailed) continue
      const reason = error instanceof errors.JWTExpired ? 'it has expired' : 'it is no vote token'
      throw invalid(reason, error)
    }
  }
  throw invalid('none of the keys has signed it')
}

const invalid = (reason: string, cause?: unknown): BcodError =>
  new BcodError('VOTE_TOKEN_INVALID', `the vote token is not accepted: ${reason}`, { place: 'token', cause })
