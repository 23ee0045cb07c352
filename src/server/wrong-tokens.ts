import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, failure } from './answer.js'

/** How long a wrong token waits for its answer. */
const WAIT_MS = 500
/** Wrong tokens that wait at the same time; further ones are told at once to come later. */
const MAX_WAITING = 16

const CLOSE = { connection: 'close' }

/**
 * Answers wrong tokens, slowly, each on a connection of its own. A right one never comes here, so that nobody can lock
 * the operator out by guessing; against guessing itself stands the length that the configuration asks of a token.
 */
export class WrongTokens {
  #waiting = 0

  async answer(): Promise<Answer> {
    if (this.#waiting >= MAX_WAITING)
      return failure(429, 'TOO_MANY_ATTEMPTS', 'Too many wrong tokens; come again later.', {
        'retry-after': '1',
        ...CLOSE,
      })
    this.#waiting += 1
    try {
      await sleep(WAIT_MS, undefined, { ref: false })
    } finally {
      this.#waiting -= 1
    }
    return unauthorized(CLOSE)
  }
}

export const unauthorized = (headers: Readonly<Record<string, string>> = {}): Answer =>
  failure(401, 'UNAUTHORIZED', 'Send the admin token as a bearer token.', { 'www-authenticate': 'Bearer', ...headers })
