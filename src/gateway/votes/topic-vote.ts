import { decodeEnvelope } from '../../events/envelope.js'
import { isJsonObject } from '../../events/json.js'
import { positionId } from '../../events/position.js'
import type { LogRecord } from '../../events/types.js'
import { invalidVote, readVote, type Vote } from './vote.js'

/** Longest record of a vote by id, bytes. */
const MAX_BYTES = 64 * 1024

/** A vote as a topic has it. */
export interface TopicVote extends Vote {
  /** The same whenever the record is read: two votes of one record are one vote. */
  readonly sequence: string
}

/**
 * The vote in a record of `gateway.votesTopic`: the JSON of `POST /v1/feedback`, a CloudEvent with it as data, or a row
 * of a table, in any of the envelopes that votes with text may have. The id of the answer may also be the subject. A
 * token is not looked at: who may write to the topic may vote.
 *
 * @returns null for a tombstone
 * @throws VOTE_INVALID, FEEDBACK_TOO_LARGE, FEEDBACK_NOT_JSON, FEEDBACK_INVALID
 */
export function readTopicVote(record: LogRecord): TopicVote | null {
  const { value, headers, key } = record
  if (value === null) return null
  const { attributes, data, subject } = decodeEnvelope(value, headers, MAX_BYTES, { key })
  if (!isJsonObject(data)) throw invalidVote('data', 'expected a JSON object')
  const completion = data.completion ?? attributes?.subject ?? subject
  const vote = readVote({ ...data, completion })
  return { ...vote, sequence: vote.sequence ?? identity(attributes) ?? positionId(record) }
}

/** Source and id of a CloudEvent: they stay the same if its producer sends it twice. */
function identity(attributes: ReturnType<typeof decodeEnvelope>['attributes']): string | null {
  const { source, id } = attributes ?? {}
  return typeof source === 'string' && typeof id === 'string' ? JSON.stringify([source, id]) : null
}
