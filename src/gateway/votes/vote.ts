import { BcodError } from '../../errors.js'
import { type Fail, id, name, optionalNumber } from '../../events/fields.js'
import { isJsonObject } from '../../events/json.js'
import { completionTime } from '../completion.js'

/** A vote by id, as an application or a browser sends it. */
export interface Vote {
  /** The id of the answer, or of one of its choices. */
  readonly completion: string
  /** true = thumbs-up, false = thumbs-down, null = the earlier vote is taken back. */
  readonly label: boolean | null
  readonly token: string | null
  /** As the application knows the user; only with an API key. */
  readonly user: string | null
  /** 0..1 */
  readonly weight: number
  /** Why the user thinks so, in his own words. */
  readonly reason: string | null
  /** Tells a vote that was changed back from one that was sent twice; null: each that comes is an event of its own. */
  readonly sequence: string | null
}

/** Longest reason, in characters. */
const MAX_REASON = 4_000

/** @throws VOTE_INVALID with the field that is wrong */
export function readVote(body: unknown): Vote {
  if (!isJsonObject(body)) throw invalidVote('body', 'expected a JSON object')
  const { completion, label, token, user, weight, reason, sequence } = body
  const completionId = name(completion, 'completion', invalidVote)
  if (completionTime(completionId) === null)
    throw invalidVote('completion', 'expected the id of an answer of this gateway: cmpl- and a UUID of version 7')
  if (label !== true && label !== false && label !== null) throw invalidVote('label', 'expected true, false or null')
  return {
    completion: completionId,
    label,
    token: readToken(token),
    user: isAbsent(user) ? null : id(user, 'user', invalidVote),
    weight: optionalNumber(weight, 0, 1, 'weight', invalidVote) ?? 1,
    reason: readReason(reason),
    sequence: isAbsent(sequence) ? null : id(sequence, 'sequence', invalidVote),
  }
}

export const invalidVote: Fail = (place, message) => new BcodError('VOTE_INVALID', message, { place })

const isAbsent = (value: unknown): boolean => value === undefined || value === null || value === ''

/** A token is longer than a name may be. */
function readToken(value: unknown): string | null {
  if (isAbsent(value)) return null
  if (typeof value !== 'string' || value.length > 4096) throw invalidVote('token', 'expected the text of X-Bcod-Vote')
  return value
}

function readReason(value: unknown): string | null {
  if (isAbsent(value)) return null
  if (typeof value !== 'string' || value.length > MAX_REASON || !value.isWellFormed())
    throw invalidVote('reason', `expected text of at most ${MAX_REASON} characters`)
  return value
}
