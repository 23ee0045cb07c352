import type { JsonObject } from '../../events/json.js'
import type { Format, ReadOptions } from '../format.js'
import { Groups, joined, type Kept } from '../joined.js'
import { labelOf } from '../label.js'
import { idOf, inOrder, list, object, objects, requiredId, text, timeOf } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/**
 * Dify: the messages of conversations, as `GET /v1/messages` and the console's API give them. One message is a question and
 * its answer. Dify's export of feedback cuts answers after 500 characters and is not read.
 */
export const dify: Format = {
  name: 'dify',
  what: 'Dify, messages of conversations',
  lists: ['messages', 'data'],
  read: (rows, options) => joined(rows, votedMessage, (votes) => keptFor(votes, options)),
}

const conversation = (message: JsonObject): string => idOf(message.conversation_id) ?? ''

/** Messages of one conversation follow from its first to its last; conversations may be mixed. */
function keptFor(votes: readonly JsonObject[], options: ReadOptions): Kept<JsonObject> {
  const voted = new Set(votes.map(conversation))
  const chats = new Groups()
  return {
    keep(message) {
      if (voted.has(conversation(message))) chats.add(conversation(message), message)
    },
    timeOf: (message) => timeOf(changed(message)) ?? timeOf(message.created_at),
    voteOf: (message) => voteOf(message, before(message, chats.get(conversation(message))), options),
  }
}

/** The messages of a chat that the model saw before one. */
function before(message: JsonObject, chat: readonly JsonObject[]): readonly JsonObject[] {
  if (typeof message.parent_message_id === 'string')
    return ancestors(message, new Map(chat.map((each) => [idOf(each.id), each])))
  const all = inOrder(chat, 'created_at')
  return all.slice(
    0,
    all.findIndex(({ id }) => id === message.id),
  )
}

function votedMessage(message: JsonObject): JsonObject {
  if (feedbackOf(message) === null) throw new Skipped('not_a_vote')
  return message
}

/** A message that was asked again has the same parent as the first try, which the model then did not see. */
function ancestors(message: JsonObject, byId: ReadonlyMap<string | null, JsonObject>): readonly JsonObject[] {
  const path: JsonObject[] = []
  for (let at = byId.get(idOf(message.parent_message_id)); at !== undefined && !path.includes(at); ) {
    path.unshift(at)
    at = byId.get(idOf(at.parent_message_id))
  }
  return path
}

/** The vote of the person who asked; the console's API lists those of administrators too. */
function feedbackOf(message: JsonObject): JsonObject | null {
  const all = objects(message.feedbacks)
  const own = all.find(({ from_source: source }) => source === 'user') ?? all[0] ?? object(message.feedback)
  return text(own.rating) === null ? null : own
}

function changed(message: JsonObject): unknown {
  const { updated_at: updated, created_at: created } = feedbackOf(message) ?? {}
  return updated ?? created
}

function voteOf(message: JsonObject, before: readonly JsonObject[], options: ReadOptions): ForeignVote {
  const feedback = feedbackOf(message) as JsonObject
  const id = requiredId(message.id, 'id')
  if (message.status === 'error' || text(message.error) !== null) throw new Skipped('answer_cut')
  const turns = [...before, message]
  if (turns.some((turn) => objects(turn.message_files).length > 0)) throw new Skipped('not_text')
  if (objects(message.agent_thoughts).some(({ tool }) => text(tool) !== null)) throw new Skipped('tool_steps')
  if (text(message.answer) === null) throw new Skipped('answer_missing')
  return {
    id: `${id}@${idOf(changed(message)) ?? String(feedback.rating)}`,
    subject: id,
    user:
      idOf(feedback.from_end_user_id) ??
      idOf(feedback.from_account_id) ??
      idOf(message.from_end_user_id) ??
      idOf(message.conversation_id),
    label: labelOf(feedback.rating, options),
    time: timeOf(changed(message)) ?? timeOf(message.created_at),
    prompt: [...before.flatMap(turn), { role: 'user', content: message.query }],
    completion: message.answer,
    model: text(message.model_id),
    ...(turns.some(({ retriever_resources: found }) => list(found).length > 0) && { contextMissing: true }),
  }
}

const turn = ({ query, answer }: JsonObject): readonly JsonObject[] => [
  { role: 'user', content: query },
  { role: 'assistant', content: answer },
]
