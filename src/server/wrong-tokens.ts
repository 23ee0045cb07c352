import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, failure } from './answer.js'

/** Delayed answers at the same time; beyond it the answer is 429 at once. */
const MAX_WAITING = 16

const CLOSE = { connection: 'close' }

/**
 * Answers wrong tokens slowly and closes their connections. A right token is never delayed, so guessing cannot lock the
 * operator out; what makes guessing hopeless is the length that the configuration requires of a token.
 */
export class WrongTokens {
  #waiting = 0

  /** @param delay  of the answer to a wrong token, milliseconds */
  constructor(private readonly delay: number) {}

  async answer(): Promise<Answer> {
    if (this.#waiting >= MAX_WAITING)
      return failure(429, 'TOO_MANY_ATTEMPTS', 'Too many wrong tokens; come again later.', {
        'retry-after': '1',
        ...CLOSE,
      })
    this.#waiting += 1
    try {
      await sleep(this.delay, undefined, { ref: false })
    } finally {
      this.#waiting -= 1
    }
    return unauthorized(CLOSE)
  }
}

export const unauthorized = (headers: Readonly<Record<string, string>> = {}): Answer =>
  failure(401, 'UNAUTHORIZED', 'Send the admin token as a bearer token.', { 'www-authenticate': 'Bearer', ...headers })
