import type { JsonObject } from '../../events/json.js'
import { eachRow, type Format, one } from '../format.js'
import { rowId } from '../row-id.js'
import { type ForeignVote, Skipped } from '../vote.js'

/** TRL's unpaired rows `{prompt, completion, label}`, of which text or messages are one side each. */
export const unpaired: Format = {
  name: 'trl-unpaired',
  what: "rows {prompt, completion, label}, as TRL's BCOTrainer and KTOTrainer read",
  lists: ['data'],
  parquet: true,
  read: (rows) => eachRow(rows, (value, place) => one(place, () => voteOf(value, place))),
}

function voteOf(row: JsonObject, place: string): ForeignVote {
  if (row.completion === undefined) throw new Skipped('answer_missing')
  if (row.prompt === undefined) throw new Skipped('prompt_missing')
  const id = rowId(place, row)
  return {
    ...{ id, subject: id, user: null, time: null, model: null },
    ...{ label: labelOf(row.label), prompt: row.prompt, completion: row.completion, tools: row.tools },
  }
}

function labelOf(label: unknown): boolean {
  if (label === true || label === 1) return true
  if (label === false || label === 0) return false
  throw new Skipped('no_label')
}
