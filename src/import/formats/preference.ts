import { isDeepStrictEqual } from 'node:util'
import type { JsonObject } from '../../events/json.js'
import { eachRow, type Format } from '../format.js'
import { rowId } from '../row-id.js'
import { list, object, objects, text } from '../values.js'
import { type Finding, type ForeignVote, finding, Skipped } from '../vote.js'

/**
 * Two answers to one prompt, of which one is better: a thumbs-up and a thumbs-down. Reads the rows of fine-tuning services
 * (`input`, `preferred_output`, `non_preferred_output`), of TRL and UltraFeedback (`chosen`, `rejected`, with or without
 * `prompt`), transcripts (HH) and battles of an arena (`conversation_a`, `conversation_b`, `winner`).
 */
export const preference: Format = {
  name: 'preference',
  what: 'pairs of answers: OpenAI, Together, Fireworks, TRL, UltraFeedback, HH, Arena',
  lists: ['data'],
  parquet: true,
  read: (rows) => eachRow(rows, votesOf),
}

/** One of the two answers. */
interface Side {
  readonly side: string
  readonly label: boolean
  readonly prompt: unknown
  readonly completion: unknown
  readonly model?: string | null
}

function* votesOf(row: JsonObject, place: string): Generator<Finding> {
  let sides: readonly Side[]
  try {
    sides = sidesOf(row)
  } catch (error) {
    if (!(error instanceof Skipped)) throw error
    yield { place, skip: error.reason, ...(error.detail !== undefined && { detail: error.detail }) }
    return
  }
  const id = rowId(place, row)
  for (const side of sides) yield finding(place, () => voteOf(side, id, object(row.input).tools ?? row.tools))
}

function voteOf({ side, label, prompt, completion, model = null }: Side, row: string, tools: unknown): ForeignVote {
  const id = `${row}-${side}`
  return { ...{ id, subject: id, user: null, time: null, model }, ...{ label, prompt, completion, tools } }
}

function sidesOf(row: JsonObject): readonly Side[] {
  if (row.winner !== undefined) return battle(row)
  if (isTie(row)) throw new Skipped('tie')
  if (row.preferred_output !== undefined || row.non_preferred_output !== undefined) {
    const prompt = object(row.input).messages
    if (prompt === undefined) throw new Skipped('prompt_missing')
    return pair(prompt, answerOf(row.preferred_output), answerOf(row.non_preferred_output))
  }
  if (row.chosen === undefined || row.rejected === undefined) throw new Skipped('answer_missing')
  if (isWhole(row.chosen, row.prompt) && isWhole(row.rejected, row.prompt)) {
    const [chosen, rejected] = [split(row.chosen), split(row.rejected)]
    return pair(chosen.prompt, chosen.completion, rejected.completion, rejected.prompt)
  }
  if (row.prompt === undefined) throw new Skipped('prompt_missing')
  return pair(row.prompt, answerOf(row.chosen), answerOf(row.rejected))
}

function pair(prompt: unknown, chosen: unknown, rejected: unknown, promptOfRejected = prompt): readonly Side[] {
  if (isDeepStrictEqual(chosen, rejected)) throw new Skipped('tie')
  return [
    { side: 'chosen', label: true, prompt, completion: chosen },
    { side: 'rejected', label: false, prompt: promptOfRejected, completion: rejected },
  ]
}

/** Rows with scores say that both are as good by giving both the same. */
const isTie = ({ score_chosen: chosen, score_rejected: rejected }: JsonObject): boolean =>
  typeof chosen === 'number' && chosen === rejected

/** A transcript, or a chat that begins with the prompt: the prompt is in it. */
const isWhole = (side: unknown, prompt: unknown): boolean =>
  typeof side === 'string'
    ? prompt === undefined && TURN.test(side)
    : objects(side).length > 1 && !Array.isArray(prompt) && objects(side)[0]?.role !== 'assistant'

const TURN = /\n\n(Human|Assistant): ?/

/** Up to the last answer, and that answer. */
function split(side: unknown): { readonly prompt: unknown; readonly completion: unknown } {
  const messages = typeof side === 'string' ? transcript(side) : objects(side)
  const last = messages.at(-1)
  if (last?.role !== 'assistant') throw new Skipped('answer_missing')
  return { prompt: messages.slice(0, -1), completion: answerOf([last]) }
}

/** `\n\nHuman: …\n\nAssistant: …` as messages. */
function transcript(whole: string): readonly JsonObject[] {
  const parts = whole.split(TURN)
  return parts.flatMap((part, i) =>
    i % 2 === 0 ? [] : [{ role: part === 'Human' ? 'user' : 'assistant', content: (parts[i + 1] ?? '').trim() }],
  )
}

/** A text, or messages; a single message of text is a text. */
function answerOf(answer: unknown): unknown {
  if (text(answer) !== null) return answer
  const [message, ...others] = list(answer)
  if (message === undefined) throw new Skipped('answer_missing')
  const { content, tool_calls: calls } = object(message)
  return others.length === 0 && typeof content === 'string' && calls === undefined ? content : answer
}

/** An arena's battle. Of a tie nothing is learnt; if both were bad, both answers are down. */
function battle(row: JsonObject): readonly Side[] {
  const labels = WINNERS[String(row.winner)]
  if (labels === undefined) throw new Skipped('no_label')
  if (labels === null) throw new Skipped('tie')
  return (['a', 'b'] as const).map((side, i) => ({
    ...{ side, label: labels[i] as boolean, model: text(row[`model_${side}`]) },
    ...split(objects(row[`conversation_${side}`]).map(({ role, content }) => ({ role, content }))),
  }))
}

const WINNERS: Readonly<Record<string, readonly [boolean, boolean] | null | undefined>> = {
  model_a: [true, false],
  model_b: [false, true],
  tie: null,
  'tie (bothbad)': [false, false],
  both_bad: [false, false],
}
