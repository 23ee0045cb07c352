import { isJsonObject, type JsonObject } from '../../events/json.js'
import type { Format, ReadOptions } from '../format.js'
import { joined, type Kept } from '../joined.js'
import { labelOf } from '../label.js'
import type { Row, Rows } from '../rows.js'
import { idOf, list, object, objects, requiredId, text, timeOf } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/** LibreChat: the collection `messages` of its MongoDB (`mongoexport`), or exported conversations. */
export const librechat: Format = {
  name: 'librechat',
  what: 'LibreChat, collection of messages or exported conversations',
  lists: ['messages'],
  read: (rows, options) =>
    joined(
      () => flat(rows),
      votedMessage,
      (votes) => keptFor(votes, options),
    ),
}

function keptFor(votes: readonly JsonObject[], options: ReadOptions): Kept<JsonObject> {
  const voted = new Set(votes.map(conversation))
  const messages = new Map<string, JsonObject>()
  return {
    keep(message) {
      const id = idOf(message.messageId)
      if (id !== null && voted.has(conversation(message))) messages.set(id, message)
    },
    timeOf: ({ updatedAt }) => timeOf(updatedAt),
    voteOf: (message) => voteOf(message, messages, options),
  }
}

function votedMessage(message: JsonObject): JsonObject {
  if (!isVote(message)) throw new Skipped('not_a_vote')
  return message
}

/** A recursive export has answers within what they answer. */
async function* flat(rows: Rows): AsyncGenerator<Row> {
  for await (const row of rows()) {
    const waiting = [row]
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      yield next
      for (const child of list(next.value?.children)) {
        waiting.push({ ...row, value: isJsonObject(child) ? child : null })
      }
    }
  }
}

const conversation = (message: JsonObject): string => idOf(message.conversationId) ?? ''

/** A vote that was taken back leaves `{}` or null. */
const isVote = ({ isCreatedByUser, feedback }: JsonObject): boolean =>
  isCreatedByUser !== true && text(object(feedback).rating) !== null

function voteOf(answer: JsonObject, messages: ReadonlyMap<string, JsonObject>, options: ReadOptions): ForeignVote {
  const id = requiredId(answer.messageId, 'messageId')
  const label = labelOf(object(answer.feedback).rating, options)
  const changed = timeOf(answer.updatedAt)
  if (answer.error === true || answer.unfinished === true) throw new Skipped('answer_cut')
  const before = ancestors(answer, messages)
  if (before.length === 0) throw new Skipped('prompt_missing')
  const files = before.flatMap(({ files: sent }) => objects(sent))
  if (files.some(({ type }) => typeof type === 'string' && type.startsWith('image/'))) throw new Skipped('not_text')
  const completion = textOf(answer)
  if (partsOf(answer).some(({ type }) => type === 'tool_call')) throw new Skipped('tool_steps')
  if (completion === '') throw new Skipped('answer_missing')
  return {
    id: `${id}@${changed ?? String(label)}`,
    subject: id,
    user: idOf(answer.user),
    label,
    time: changed,
    prompt: before.map((each) => ({
      role: each.isCreatedByUser === true ? 'user' : 'assistant',
      content: textOf(each),
    })),
    completion,
    model: text(answer.model),
    ...(files.length > 0 && { contextMissing: true }),
  }
}

/** The messages before one, from the root on. */
function ancestors(answer: JsonObject, messages: ReadonlyMap<string, JsonObject>): readonly JsonObject[] {
  const path: JsonObject[] = []
  for (let id = idOf(answer.parentMessageId); id !== null && id !== ROOT; ) {
    const parent = messages.get(id)
    if (parent === undefined || path.includes(parent)) throw new Skipped('prompt_missing')
    path.unshift(parent)
    id = idOf(parent.parentMessageId)
  }
  return path
}

const ROOT = '00000000-0000-0000-0000-000000000000'

const partsOf = (message: JsonObject): readonly JsonObject[] => objects(message.content)

/** The texts of its parts without its reasoning, or its text. @throws Skipped for images and parts that failed */
function textOf(message: JsonObject): string {
  const parts = partsOf(message)
  if (parts.length === 0) return text(message.text) ?? ''
  return parts.map(partText).join('')
}

function partText(part: JsonObject): string {
  if (part.type === 'image_file' || part.type === 'image_url') throw new Skipped('not_text')
  if (part.type === 'error') throw new Skipped('answer_cut')
  return part.type === 'text' ? (text(part.text) ?? text(object(part.text).value) ?? '') : ''
}
