import type { JsonObject } from '../../events/json.js'
import type { Format, ReadOptions } from '../format.js'
import { type Generation, generation } from '../generation.js'
import { joined, type Kept } from '../joined.js'
import { labelOf } from '../label.js'
import { idOf, object, requiredId, text, timeOf } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/** Phoenix: annotations, with the spans that they are on, in the names of OpenInference. */
export const phoenix: Format = {
  name: 'phoenix',
  what: 'Phoenix, annotations with their spans',
  lists: ['annotations', 'spans', 'data'],
  read: (rows, options) =>
    joined(
      rows,
      (record) => annotationIn(record, options),
      (votes) => keptFor(votes, options),
    ),
}

/** The name that Phoenix's own guide gives to a user's annotation. */
export const USER_FEEDBACK = 'user_feedback'

function keptFor(votes: readonly JsonObject[], options: ReadOptions): Kept<JsonObject> {
  const wanted = new Set(votes.map(({ span_id: span }) => idOf(span)))
  const spans = new Map<string, JsonObject>()
  return {
    keep(record) {
      const id = idOf(object(record.context).span_id)
      if (id !== null && wanted.has(id)) spans.set(id, object(record.attributes))
    },
    timeOf: ({ updated_at: changed }) => timeOf(changed),
    voteOf: (annotation) => voteOf(annotation, spans, options),
  }
}

function annotationIn(record: JsonObject, { name = USER_FEEDBACK }: ReadOptions): JsonObject | null {
  if (record.annotator_kind === undefined) return null
  if (record.name !== name) throw new Skipped('other_name')
  if (record.annotator_kind !== 'HUMAN') throw new Skipped('not_human')
  return record
}

function voteOf(annotation: JsonObject, spans: ReadonlyMap<string, JsonObject>, options: ReadOptions): ForeignVote {
  const subject = requiredId(annotation.span_id, 'span_id')
  const { score, label } = object(annotation.result)
  const up = labelOf(score ?? label, options)
  const span = spans.get(subject)
  if (span === undefined) throw new Skipped('answer_missing')
  const changed = requiredId(annotation.updated_at, 'updated_at')
  return {
    id: `${requiredId(annotation.id, 'id')}@${changed}`,
    subject,
    // an application names the voter by the identifier, of which each has one annotation
    user: idOf(annotation.user_id) ?? idOf(annotation.identifier) ?? idOf(span['user.id']),
    label: up,
    time: timeOf(changed),
    ...generationOf(span),
  }
}

/** Messages are flattened: `llm.input_messages.0.message.content`. A span of a chain has texts or JSON alone. */
function generationOf(attributes: JsonObject): Generation {
  const nested = unflattened(attributes)
  const llm = object(nested.llm)
  const model = text(llm.model_name)
  const asked = messagesOf(llm.input_messages)
  const answered = messagesOf(llm.output_messages)
  if (answered.length > 1) throw new Skipped('tool_steps')
  if (asked.length === 0 || answered.length === 0) {
    const side = (name: string): unknown => object(nested[name]).value
    return generation({ input: side('input'), output: side('output'), model })
  }
  return generation({ input: asked, output: answered, model })
}

function messagesOf(value: unknown): readonly JsonObject[] {
  return Object.values(object(value)).map((each) => {
    const message = object(object(each).message)
    const parts = Object.values(object(message.contents)).map((part) => object(object(part).message_content))
    const calls = Object.values(object(message.tool_calls)).map((call) => object(object(call).tool_call))
    return {
      ...{ role: message.role, content: message.content ?? (parts.length > 0 ? parts : null) },
      ...(calls.length > 0 && { tool_calls: calls }),
      ...(text(message.tool_call_id) !== null && { tool_call_id: message.tool_call_id }),
    }
  })
}

/** `a.0.b` as `{a: {0: {b}}}`. Numbers come out in their order, as JavaScript has the keys of objects. */
function unflattened(attributes: JsonObject): JsonObject {
  const root: Record<string, unknown> = Object.create(null)
  for (const [path, value] of Object.entries(attributes)) {
    const names = path.split('.')
    let at = root
    for (const name of names.slice(0, -1)) {
      if (typeof at[name] !== 'object' || at[name] === null) at[name] = Object.create(null)
      at = at[name] as typeof root
    }
    at[names.at(-1) as string] = value
  }
  return root
}
