import type { JsonObject } from '../../events/json.js'
import { askedIn } from '../conversation.js'
import { eachRow, type Format, type ReadOptions } from '../format.js'
import { labelOf } from '../label.js'
import { idOf, list, object, objects, requiredId } from '../values.js'
import { type Finding, finding, Skipped } from '../vote.js'

/**
 * Argilla: records of its version 2 (`fields`, `responses`) or rows of exported datasets (`<question>.responses`). What
 * fields and questions are called, the project decides.
 */
export const argilla: Format = {
  name: 'argilla',
  what: 'Argilla, records or exported datasets; --name, --up, --down, --prompt-field, --answer-field',
  lists: ['records'],
  read: (rows, options) => eachRow(rows, (value, place) => votesOf(value, place, options)),
}

interface Response {
  readonly value: unknown
  readonly user: unknown
  readonly status: unknown
}

function* votesOf(record: JsonObject, place: string, options: ReadOptions): Generator<Finding> {
  const responses = responsesOf(record, options.name ?? 'quality')
  if (responses.length === 0) yield { place, skip: 'not_a_vote' }
  const { promptField = 'chat', answerField = 'response' } = options
  const fields = record.fields === undefined ? record : object(record.fields)
  for (const [i, { value, user, status }] of responses.entries()) {
    yield finding(`${place} responses[${i}]`, () => {
      if (status !== 'submitted') throw new Skipped('not_submitted')
      const label = labelOf(value, options)
      const subject = requiredId(record.id ?? record.external_id, 'id')
      if (fields[answerField] === undefined) throw new Skipped('answer_missing', `${answerField} is missing`)
      if (fields[promptField] === undefined) throw new Skipped('prompt_missing', `${promptField} is missing`)
      return {
        // no export says when a response was changed, so the id has the response
        ...{ id: `${subject}/${idOf(user) ?? i}@${label}`, subject, user: idOf(user), label, time: null },
        ...{ ...askedIn(fields[promptField]), completion: fields[answerField], model: null },
      }
    })
  }
}

function responsesOf(record: JsonObject, question: string): readonly Response[] {
  const held = object(record.responses)[question]
  if (held !== undefined) {
    return objects(held).map(({ value, user_id: user, status }) => ({ value, user, status: status ?? 'submitted' }))
  }
  const users = list(record[`${question}.responses.users`])
  const statuses = list(record[`${question}.responses.status`])
  return list(record[`${question}.responses`]).map((value, i) => ({ value, user: users[i], status: statuses[i] }))
}
