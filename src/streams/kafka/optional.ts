import { setTimeout as sleep } from 'node:timers/promises'

const ANSWER_LIMIT = 3_000

/**
 * What an API tells that only helps; `otherwise` where the service does not have it or refuses it, as hosted ones do:
 * by leaving it out of the list of its APIs, with an error of any kind, by closing the connection, or by no answer.
 */
export async function optional<T, O>(ask: () => Promise<T>, otherwise: O): Promise<T | O> {
  const late = sleep(ANSWER_LIMIT, otherwise, { ref: false })
  // a connection may also have been lost by chance
  const answer = ask()
    .catch(ask)
    .catch(() => otherwise)
  return Promise.race([answer, late])
}
