import type { JsonObject } from '../../events/json.js'
import type { Format, ReadOptions } from '../format.js'
import { Groups, joined, type Kept } from '../joined.js'
import { labelOf } from '../label.js'
import { idOf, inOrder, list, objects, requiredId, text, timeOf, unquoted } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/** Flowise: its full export (Settings, Export). The export of chat messages alone has no ratings. */
export const flowise: Format = {
  name: 'flowise',
  what: 'Flowise, full export',
  lists: ['ChatMessageFeedback', 'ChatMessage'],
  read: (rows, options) =>
    joined(
      rows,
      (record) => (isFeedback(record) ? record : null),
      (votes) => keptFor(votes, options),
    ),
}

const isFeedback = ({ rating }: JsonObject): boolean => rating !== undefined

const chatOf = ({ chatId }: JsonObject): string => idOf(chatId) ?? ''

function keptFor(votes: readonly JsonObject[], options: ReadOptions): Kept<JsonObject> {
  const voted = new Set(votes.map(chatOf))
  const chats = new Groups()
  return {
    keep(record) {
      if (!isFeedback(record) && voted.has(chatOf(record))) chats.add(chatOf(record), record)
    },
    timeOf: ({ createdDate }) => timeOf(createdDate),
    voteOf: (feedback) => voteOf(feedback, inOrder(chats.get(chatOf(feedback)), 'createdDate'), options),
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
