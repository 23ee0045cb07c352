import type { JsonObject } from '../../events/json.js'
import { type Format, type ReadOptions, unreadable } from '../format.js'
import { generation } from '../generation.js'
import { labelOf } from '../label.js'
import type { Rows } from '../rows.js'
import { idOf, object, requiredId, text, timeOf } from '../values.js'
import { type Finding, type ForeignVote, finding, Skipped } from '../vote.js'

/** LangSmith: feedback, with the runs that it is on. */
export const langsmith: Format = {
  name: 'langsmith',
  what: 'LangSmith, feedback with its runs',
  lists: ['feedback', 'runs', 'data'],
  read,
}

const KEY = 'user_score'

async function* read(rows: Rows, options: ReadOptions): AsyncGenerator<Finding> {
  const votes: { readonly place: string; readonly feedback: JsonObject }[] = []
  const wanted = new Set<string>()
  for await (const { value, place } of rows()) {
    if (value === null) yield unreadable({ place })
    else if (isFeedback(value)) {
      if (value.key !== (options.name ?? KEY)) yield { place, skip: 'other_name' }
      else if (!isHuman(value)) yield { place, skip: 'not_human' }
      else {
        votes.push({ place, feedback: value })
        wanted.add(idOf(value.run_id) ?? '')
      }
    }
  }
  const runs = new Map<string, JsonObject>()
  for await (const { value } of rows()) {
    const id = idOf(value?.id)
    if (value !== null && id !== null && wanted.has(id) && !isFeedback(value)) runs.set(id, value)
  }
  for (const { place, feedback } of votes) yield finding(place, () => voteOf(feedback, runs, options))
}

const isFeedback = (row: JsonObject): boolean => row.key !== undefined && row.run_id !== undefined

const sourceOf = (feedback: JsonObject): JsonObject => object(feedback.feedback_source)

const isHuman = (feedback: JsonObject): boolean => !['model', 'auto_eval'].includes(String(sourceOf(feedback).type))

function voteOf(feedback: JsonObject, runs: ReadonlyMap<string, JsonObject>, options: ReadOptions): ForeignVote {
  const subject = requiredId(feedback.run_id, 'run_id')
  const label = labelOf(feedback.score ?? feedback.value, options)
  const run = runs.get(subject)
  if (run === undefined) throw new Skipped('answer_missing')
  if (text(run.error) !== null) throw new Skipped('answer_cut')
  const { metadata, invocation_params: parameters } = object(run.extra)
  const model = text(object(metadata).ls_model_name) ?? text(object(parameters).model)
  const changed = feedback.modified_at ?? feedback.created_at
  return {
    id: `${requiredId(feedback.id, 'id')}@${requiredId(changed, 'modified_at')}`,
    subject,
    user: idOf(object(feedback.extra).user) ?? idOf(object(metadata).user_id) ?? idOf(sourceOf(feedback).user_id),
    label,
    time: timeOf(changed),
    ...generation({ input: run.inputs, output: run.outputs, model }),
  }
}
