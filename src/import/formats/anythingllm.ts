import type { JsonObject } from '../../events/json.js'
import { eachRow, type Format, one, type ReadOptions } from '../format.js'
import { labelOf } from '../label.js'
import { idOf, list, requiredId, text, timeOf } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/**
 * AnythingLLM: workspace chats exported as JSON or CSV. Its JSONL has no ratings, and no export tells which chats belong
 * together.
 */
export const anythingLlm: Format = {
  name: 'anythingllm',
  what: 'AnythingLLM, workspace chats exported as JSON or CSV',
  lists: [],
  csv: ['id', 'prompt', 'response', 'rating'],
  read: (rows, options) => eachRow(rows, (value, place) => one(place, () => voteOf(value, options))),
}

/** What stands where nobody has voted. */
const NO_RATING = ['--', undefined, null, '']

/** What stands for a user where chats have none: those of an installation for one, and those of the API. */
const NOBODY = ['unknown user', 'API']

function voteOf(row: JsonObject, options: ReadOptions): ForeignVote {
  if (NO_RATING.includes(row.rating as string)) throw new Skipped('not_a_vote')
  const id = requiredId(row.id, 'id')
  if (text(row.response) === null) throw new Skipped('answer_missing')
  if (list(row.attachments).length > 0) throw new Skipped('not_text')
  const user = idOf(row.username)
  return {
    // its time stays when a vote changes, so the id has the vote
    id: `${id}@${String(row.rating)}`,
    subject: id,
    user: user !== null && NOBODY.includes(user) ? null : user,
    label: labelOf(row.rating, options),
    time: timeOf(row.sent_at),
    prompt: [{ role: 'user', content: row.prompt }],
    completion: row.response,
    model: null,
  }
}
