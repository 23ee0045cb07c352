import { isDeepStrictEqual } from 'node:util'
import { type Answered, type Asked, answeredIn, askedIn } from './conversation.js'
import { Skipped } from './vote.js'

/** One call of a model within a trace, or the trace itself: what went in and what came out. */
export interface Call {
  readonly input: unknown
  readonly output: unknown
  readonly model: string | null
}

export type Generation = Asked & Answered & { readonly model: string | null }

/**
 * What was asked and answered in a trace. Its calls of models come first, since they have the prompt as the model saw it:
 * the last one that gave the answer that the user was shown. A trace may also have calls for a title or a search, so if none
 * gave that answer, the trace's own input and output count; without these, the last call.
 *
 * @param calls  in order of time
 * @param shown  the trace itself; null if the export does not have it
 * @throws Skipped
 */
export function generationIn(calls: readonly Call[], shown: Omit<Call, 'model'> | null): Generation {
  const answer = shown === null ? null : attempt(() => answeredIn(shown.output).completion)
  const read = calls.map((call) => () => generation(call))
  if (answer === null) {
    const last = read.at(-1)
    if (last === undefined) throw new Skipped('answer_missing')
    return last()
  }
  const giver = read.map(attempt).findLast((each) => each !== null && isDeepStrictEqual(each.completion, answer))
  return giver ?? generation({ ...(shown as Omit<Call, 'model'>), model: null })
}

export const generation = ({ input, output, model }: Call): Generation => ({
  ...askedIn(input),
  ...answeredIn(output),
  model,
})

/** null if it is skipped. */
function attempt<T>(read: () => T): T | null {
  try {
    return read()
  } catch (error) {
    if (error instanceof Skipped) return null
    throw error
  }
}
