import type { JsonObject } from '../../events/json.js'
import { type Format, type ReadOptions, unreadable } from '../format.js'
import { labelOf } from '../label.js'
import type { Rows } from '../rows.js'
import { idOf, list, object, objects, requiredId, text, timeOf } from '../values.js'
import { type Finding, type ForeignVote, finding, Skipped } from '../vote.js'

/**
 * Dify: the messages of conversations, as `GET /v1/messages` and the console's API give them. One message is a question and
 * its answer. Dify's export of feedback cuts answers after 500 characters and is not read.
 */
export const dify: Format = {
  name: 'dify',
  what: 'Dify, messages of conversations',
  lists: ['messages', 'data'],
  read,
}

/** Messages of one conversation follow from its first to its last; conversations may be mixed. */
async function* read(rows: Rows, options: ReadOptions): AsyncGenerator<Finding> {
  const voted = new Set<string>()
  for await (const row of rows()) {
    if (row.value === null) yield unreadable(row)
    else if (feedbackOf(row.value) === null) yield { place: row.place, skip: 'not_a_vote' }
    else voted.add(conversation(row.value))
  }
  const chats = new Map<string, { readonly place: string; readonly message: JsonObject }[]>()
  for await (const { value, place } of rows()) {
    if (value === null || !voted.has(conversation(value))) continue
    const chat = chats.get(conversation(value)) ?? []
    chats.set(conversation(value), chat)
    chat.push({ place, message: value })
  }
  for (const chat of chats.values()) yield* votesOf(chat, options)
}

const conversation = (message: JsonObject): string => idOf(message.conversation_id) ?? ''

function* votesOf(
  chat: readonly { readonly place: string; readonly message: JsonObject }[],
  options: ReadOptions,
): Generator<Finding> {
  const byId = new Map(chat.map(({ message }) => [idOf(message.id), message]))
  const inOrder = [...chat].sort((a, b) => (timeOf(a.message.created_at) ?? 0) - (timeOf(b.message.created_at) ?? 0))
  for (const [i, { place, message }] of inOrder.entries()) {
    if (feedbackOf(message) === null) continue
    const earlier = inOrder.slice(0, i).map((each) => each.message)
    const before = typeof message.parent_message_id === 'string' ? ancestors(message, byId) : earlier
    yield finding(place, () => voteOf(message, before, options))
  }
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

function voteOf(message: JsonObject, before: readonly JsonObject[], options: ReadOptions): ForeignVote {
  const feedback = feedbackOf(message) as JsonObject
  const id = requiredId(message.id, 'id')
  if (message.status === 'error' || text(message.error) !== null) throw new Skipped('answer_cut')
  const turns = [...before, message]
  if (turns.some((turn) => objects(turn.message_files).length > 0)) throw new Skipped('not_text')
  if (objects(message.agent_thoughts).some(({ tool }) => text(tool) !== null)) throw new Skipped('tool_steps')
  if (text(message.answer) === null) throw new Skipped('answer_missing')
  const changed = feedback.updated_at ?? feedback.created_at
  return {
    id: `${id}@${idOf(changed) ?? String(feedback.rating)}`,
    subject: id,
    user:
      idOf(feedback.from_end_user_id) ??
      idOf(feedback.from_account_id) ??
      idOf(message.from_end_user_id) ??
      idOf(message.conversation_id),
    label: labelOf(feedback.rating, options),
    time: timeOf(changed) ?? timeOf(message.created_at),
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
