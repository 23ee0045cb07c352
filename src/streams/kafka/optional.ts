import { setTimeout as sleep } from 'node:timers/promises'

const ANSWER_LIMIT = 3_000

/**
 * The answer of an API that is not essential; `otherwise` if the service lacks it or refuses it, as hosted services do:
 * they leave it out of their list of APIs, return any error, close the connection, or do not answer.
 */
export async function optional<T, O>(ask: () => Promise<T>, otherwise: O): Promise<T | O> {
  const late = sleep(ANSWER_LIMIT, otherwise, { ref: false })
  // a connection may also have been lost by chance
  const answer = ask()
    .catch(ask)
    .catch(() => otherwise)
  return Promise.race([answer, late])
}
