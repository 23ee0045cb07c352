import { setTimeout as sleep } from 'node:timers/promises'

const TRIES = 2
const ANSWER_LIMIT = 3_000

/**
 * What an API tells that only helps; `otherwise` where the service does not have it or refuses it, as hosted ones do:
 * by leaving it out of the list of its APIs, with an error of any kind, by closing the connection, or by no answer.
 */
export async function optional<T, O>(ask: () => Promise<T>, otherwise: O): Promise<T | O> {
  for (let tried = 1; ; tried++) {
    try {
      return await Promise.race([ask(), overdue()])
    } catch {
      // a connection may also have been lost by chance
      if (tried === TRIES) return otherwise
    }
  }
}

async function overdue(): Promise<never> {
  await sleep(ANSWER_LIMIT, undefined, { ref: false })
  throw new Error('no answer')
}
