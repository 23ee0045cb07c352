import type { JsonObject } from '../../events/json.js'
import { type Format, type ReadOptions, unreadable } from '../format.js'
import { labelOf } from '../label.js'
import type { Rows } from '../rows.js'
import { idOf, list, objects, requiredId, text, timeOf, unquoted } from '../values.js'
import { type Finding, type ForeignVote, finding, Skipped } from '../vote.js'

/** Flowise: its full export (Settings, Export). The export of chat messages alone has no ratings. */
export const flowise: Format = {
  name: 'flowise',
  what: 'Flowise, full export',
  lists: ['ChatMessageFeedback', 'ChatMessage'],
  read,
}

async function* read(rows: Rows, options: ReadOptions): AsyncGenerator<Finding> {
  const votes: { readonly place: string; readonly feedback: JsonObject }[] = []
  const voted = new Set<string>()
  for await (const { value, place } of rows()) {
    if (value === null) yield unreadable({ place })
    else if (value.rating !== undefined) {
      votes.push({ place, feedback: value })
      voted.add(idOf(value.chatId) ?? '')
    }
  }
  const chats = new Map<string, JsonObject[]>()
  for await (const { value } of rows()) {
    const chat = idOf(value?.chatId) ?? ''
    if (value === null || value.rating !== undefined || !voted.has(chat)) continue
    const messages = chats.get(chat) ?? []
    chats.set(chat, messages)
    messages.push(value)
  }
  for (const chat of chats.values()) chat.sort((a, b) => (timeOf(a.createdDate) ?? 0) - (timeOf(b.createdDate) ?? 0))
  for (const { place, feedback } of votes) {
    yield finding(place, () => voteOf(feedback, chats.get(idOf(feedback.chatId) ?? '') ?? [], options))
  }
}

function voteOf(feedback: JsonObject, chat: readonly JsonObject[], options: ReadOptions): ForeignVote {
  const subject = requiredId(feedback.messageId, 'messageId')
  const at = chat.findIndex(({ id }) => id === subject)
  const answer = chat[at]
  if (answer === undefined) throw new Skipped('answer_missing')
  if (at === 0) throw new Skipped('prompt_missing')
  const turns = chat.slice(0, at + 1)
  if (turns.some(({ fileUploads }) => objects(unquoted(fileUploads)).length > 0)) throw new Skipped('not_text')
  if (list(unquoted(answer.usedTools)).length > 0) throw new Skipped('tool_steps')
  return {
    // its time stays when a vote changes, so the id has the vote
    id: `${requiredId(feedback.id, 'id')}@${String(feedback.rating)}`,
    subject,
    user: idOf(feedback.chatId),
    label: labelOf(feedback.rating, options),
    time: timeOf(feedback.createdDate),
    prompt: chat.slice(0, at).map(({ role, content }) => ({ role: ROLES[String(role)], content })),
    completion: answer.content,
    model: null,
    ...(text(answer.content) !== null && hasSources(answer) && { contextMissing: true }),
  }
}

const hasSources = ({ sourceDocuments }: JsonObject): boolean => list(unquoted(sourceDocuments)).length > 0

const ROLES: Readonly<Record<string, string | undefined>> = { userMessage: 'user', apiMessage: 'assistant' }
