import type { JsonObject } from '../../events/json.js'
import type { Format, ReadOptions } from '../format.js'
import { generation } from '../generation.js'
import { joined, type Kept } from '../joined.js'
import { labelOf } from '../label.js'
import { idOf, object, requiredId, text, timeOf } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/** LangSmith: feedback, with the runs that it is on. */
export const langsmith: Format = {
  name: 'langsmith',
  what: 'LangSmith, feedback with its runs',
  lists: ['feedback', 'runs', 'data'],
  read: (rows, options) =>
    joined(
      rows,
      (record) => feedbackIn(record, options),
      (votes) => keptFor(votes, options),
    ),
}

const KEY = 'user_score'

function keptFor(votes: readonly JsonObject[], options: ReadOptions): Kept<JsonObject> {
  const wanted = new Set(votes.map(({ run_id: run }) => idOf(run)))
  const runs = new Map<string, JsonObject>()
  return {
    keep(record) {
      const id = idOf(record.id)
      if (id !== null && wanted.has(id) && !isFeedback(record)) runs.set(id, record)
    },
    timeOf: (feedback) => timeOf(changed(feedback)),
    voteOf: (feedback) => voteOf(feedback, runs, options),
  }
}

function feedbackIn(record: JsonObject, { name = KEY }: ReadOptions): JsonObject | null {
  if (!isFeedback(record)) return null
  if (record.key !== name) throw new Skipped('other_name')
  if (!isHuman(record)) throw new Skipped('not_human')
  return record
}

const changed = (feedback: JsonObject): unknown => feedback.modified_at ?? feedback.created_at

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
  return {
    id: `${requiredId(feedback.id, 'id')}@${requiredId(changed(feedback), 'modified_at')}`,
    subject,
    user: idOf(object(feedback.extra).user) ?? idOf(object(metadata).user_id) ?? idOf(sourceOf(feedback).user_id),
    label,
    time: timeOf(changed(feedback)),
    ...generation({ input: run.inputs, output: run.outputs, model }),
  }
}
