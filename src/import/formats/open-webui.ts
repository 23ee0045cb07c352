import { isJsonObject, type JsonObject } from '../../events/json.js'
import { eachRow, type Format, one } from '../format.js'
import { idOf, list, object, objects, requiredId, text, timeOf } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/**
 * Open WebUI: what its administrators export under Evaluations, Feedback, and
 * `GET /api/v1/evaluations/feedbacks/all/export`. A vote brings the whole chat as it was, a tree of messages.
 */
export const openWebUi: Format = {
  name: 'open-webui',
  what: 'Open WebUI, export of feedback',
  lists: [],
  read: (rows) => eachRow(rows, (value, place) => one(place, () => voteOf(value))),
}

function voteOf(row: JsonObject): ForeignVote {
  if (row.type !== 'rating') throw new Skipped('not_a_vote')
  const data = object(row.data)
  const meta = object(row.meta)
  const subject = requiredId(meta.message_id, 'meta.message_id')
  const label = labelOf(data.rating)
  const chat = chatOf(row.snapshot)
  const messages = object(object(chat.history).messages)
  const answer = messages[subject]
  if (!isJsonObject(answer)) throw new Skipped('answer_missing')
  const before = ancestors(messages, answer)
  if (before.length === 0) throw new Skipped('prompt_missing')
  const system = text(object(chat.params).system) ?? text(chat.system)
  const asked = before.map((message) => ({ role: message.role, content: visible(message.content) }))
  return {
    id: `${requiredId(row.id, 'id')}@${requiredId(row.updated_at, 'updated_at')}`,
    subject,
    user: idOf(row.user_id),
    label,
    time: timeOf(row.updated_at),
    prompt: [...(system === null ? [] : [{ role: 'system', content: system }]), ...asked],
    completion: answerText(answer),
    model: text(data.model_id) ?? text(meta.model_id),
    ...(before.concat(answer).some(hasContext) && { contextMissing: true }),
  }
}

function labelOf(rating: unknown): boolean {
  if (rating === 1 || rating === '1') return true
  if (rating === -1 || rating === '-1') return false
  throw new Skipped('no_label')
}

/** The chat itself: in exports it lies in the record of the chat. */
function chatOf(snapshot: unknown): JsonObject {
  const chat = object(object(snapshot).chat)
  return isJsonObject(chat.chat) ? chat.chat : chat
}

/** The messages before one, from the root on. */
function ancestors(messages: JsonObject, message: JsonObject): readonly JsonObject[] {
  const path: JsonObject[] = []
  const seen = new Set<unknown>()
  for (let id = message.parentId; typeof id === 'string'; ) {
    const parent = messages[id]
    if (!isJsonObject(parent) || seen.has(id)) throw new Skipped('prompt_missing')
    seen.add(id)
    if (objects(parent.files).some(isImage)) throw new Skipped('not_text')
    path.unshift(parent)
    id = parent.parentId
  }
  return path
}

const isImage = ({ type, content_type: mime }: JsonObject): boolean =>
  type === 'image' || (typeof mime === 'string' && mime.startsWith('image/'))

/** Files and sources are documents of which the model was shown parts. */
const hasContext = ({ files, sources }: JsonObject): boolean => list(files).length > 0 || list(sources).length > 0

const DETAILS = /<details type="(\w+)"[^>]*>[\s\S]*?<\/details>\s*/g

/** Later turns do not see the reasoning and the tools of earlier ones. */
const visible = (content: unknown): unknown => (typeof content === 'string' ? content.replace(DETAILS, '') : content)

/** The answer without its reasoning: newer versions keep its parts as items, older ones write them into it as HTML. */
function answerText({ content, output, error, done }: JsonObject): unknown {
  if (error || done === false) throw new Skipped('answer_cut')
  const items = objects(output)
  if (items.some(({ type }) => type !== 'message' && type !== 'reasoning')) throw new Skipped('tool_steps')
  const parts = items.flatMap((item) => (item.type === 'message' ? objects(item.content) : []))
  if (parts.length > 0) return parts.map((part) => text(part.text) ?? '').join('')
  if (typeof content !== 'string') return content
  if ([...content.matchAll(DETAILS)].some(([, type]) => type !== 'reasoning')) throw new Skipped('tool_steps')
  const said = content.replace(DETAILS, '')
  if (said.includes('<details type="')) throw new Skipped('answer_cut')
  return said
}
