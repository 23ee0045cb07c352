import type { JsonObject } from '../../events/json.js'
import { askedIn } from '../conversation.js'
import { eachRow, type Format, type ReadOptions } from '../format.js'
import { labelOf } from '../label.js'
import { idOf, list, object, objects, requiredId, timeOf } from '../values.js'
import { type Finding, type ForeignVote, finding, Skipped } from '../vote.js'

/** Label Studio: tasks with annotations, exported as JSON. What fields and questions are called, the project decides. */
export const labelStudio: Format = {
  name: 'label-studio',
  what: 'Label Studio, tasks exported as JSON; --name, --up, --down, --prompt-field, --answer-field',
  lists: [],
  read: (rows, options) => eachRow(rows, (value, place) => votesOf(value, place, options)),
}

function* votesOf(task: JsonObject, place: string, options: ReadOptions): Generator<Finding> {
  const annotations = objects(task.annotations)
  if (annotations.length === 0) yield { place, skip: 'not_a_vote' }
  for (const [i, annotation] of annotations.entries()) {
    yield finding(`${place} annotations[${i}]`, () => voteOf(annotation, task, options))
  }
}

function voteOf(annotation: JsonObject, task: JsonObject, options: ReadOptions): ForeignVote {
  if (annotation.was_cancelled === true) throw new Skipped('not_submitted')
  const { promptField = 'messages', answerField = 'response' } = options
  const data = object(task.data)
  const label = labelOf(choiceOf(annotation, options.name), options)
  if (data[answerField] === undefined) throw new Skipped('answer_missing', `data.${answerField} is missing`)
  if (data[promptField] === undefined) throw new Skipped('prompt_missing', `data.${promptField} is missing`)
  const changed = requiredId(annotation.updated_at, 'updated_at')
  const by = annotation.completed_by
  return {
    id: `${requiredId(annotation.id, 'id')}@${changed}`,
    subject: requiredId(task.id, 'id'),
    user: idOf(by) ?? idOf(object(by).id),
    label,
    time: timeOf(changed),
    ...askedIn(data[promptField]),
    completion: data[answerField],
    model: null,
  }
}

/** The answer to the question `name`, or to the only question; a choice, or a rating in stars. */
function choiceOf(annotation: JsonObject, name: string | undefined): unknown {
  const results = objects(annotation.result).filter(({ type }) => type === 'choices' || type === 'rating')
  const result = results.find(({ from_name: from }) => name === undefined || from === name)
  if (result === undefined) throw new Skipped(results.length === 0 ? 'no_label' : 'other_name')
  const { choices, rating } = object(result.value)
  const chosen = list(choices)
  return chosen.length === 1 ? chosen[0] : rating
}
