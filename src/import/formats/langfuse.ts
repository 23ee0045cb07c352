import type { JsonObject } from '../../events/json.js'
import type { Format, ReadOptions } from '../format.js'
import { type Call, generationIn } from '../generation.js'
import { joined } from '../joined.js'
import { labelOf } from '../label.js'
import { idOf, object, requiredId, text, timeOf } from '../values.js'
import { type ForeignVote, Skipped } from '../vote.js'

/** Langfuse: scores, with the observations and traces that they are on. */
export const langfuse: Format = {
  name: 'langfuse',
  what: 'Langfuse, scores with their observations and traces',
  lists: ['scores', 'observations', 'traces', 'data'],
  read: (rows, options) =>
    joined(
      rows,
      (record) => (isScore(record) ? scoreOf(record, options) : null),
      (scores) => {
        const traces = new Traces(scores)
        return {
          keep: (record) => void (isScore(record) || traces.keep(record)),
          timeOf: ({ time }) => time,
          voteOf: (score) => voteOf(score, traces),
        }
      },
    ),
}

/** The name that Langfuse's own guide gives to a user's score. */
export const USER_FEEDBACK = 'user-feedback'

const isScore = (row: JsonObject): boolean => row.dataType !== undefined && row.name !== undefined

/** A score that is a vote. */
interface Score {
  readonly id: string
  readonly label: boolean
  readonly time: number | null
  readonly observation: string | null
  readonly trace: string | null
  readonly user: string | null
}

function scoreOf(row: JsonObject, options: ReadOptions): Score {
  if (row.name !== (options.name ?? USER_FEEDBACK)) throw new Skipped('other_name')
  if (row.source === 'EVAL') throw new Skipped('not_human')
  const { observation, trace } = subjectOf(row)
  if (observation === null && trace === null) throw new Skipped('answer_missing', 'a score on a session')
  const changed = row.updatedAt ?? row.timestamp
  return {
    id: `${requiredId(row.id, 'id')}@${requiredId(changed, 'updatedAt')}`,
    label: labelOf(row.dataType === 'CATEGORICAL' ? (row.stringValue ?? row.value) : row.value, options),
    time: timeOf(changed),
    ...{ observation, trace },
    user: idOf(row.authorUserId) ?? idOf(object(row.trace).userId) ?? idOf(object(row.metadata).userId),
  }
}

/** Versions before 3 of the API name both ids, version 3 has one subject of a kind. */
function subjectOf(row: JsonObject): Pick<Score, 'observation' | 'trace'> {
  const { kind, id, traceId } = object(row.subject)
  return {
    observation: idOf(row.observationId) ?? (kind === 'observation' ? idOf(id) : null),
    trace: idOf(row.traceId) ?? idOf(traceId) ?? (kind === 'trace' ? idOf(id) : null),
  }
}

/** What the scores are on, of all that the export has. */
class Traces {
  readonly observations = new Map<string, JsonObject>()
  readonly generations = new Map<string, JsonObject[]>()
  readonly traces = new Map<string, JsonObject>()
  readonly #observations: ReadonlySet<string | null>
  readonly #traces: ReadonlySet<string | null>

  constructor(scores: readonly Score[]) {
    this.#observations = new Set(scores.map(({ observation }) => observation))
    this.#traces = new Set(scores.map(({ trace }) => trace))
  }

  keep(row: JsonObject): void {
    const id = idOf(row.id)
    const trace = idOf(row.traceId)
    if (id === null) return
    if (trace === null) {
      if (this.#traces.has(id)) this.traces.set(id, row)
      return
    }
    if (this.#observations.has(id)) this.observations.set(id, row)
    if (!this.#traces.has(trace) || row.type !== 'GENERATION') return
    const others = this.generations.get(trace)
    if (others === undefined) this.generations.set(trace, [row])
    else others.push(row)
  }
}

function voteOf({ observation, trace, user, ...score }: Score, voted: Traces): ForeignVote {
  const shown = trace === null ? undefined : voted.traces.get(trace)
  const on = observation === null ? undefined : voted.observations.get(observation)
  if (observation !== null && on === undefined) throw new Skipped('answer_missing')
  const calls = on === undefined ? inOrder(voted.generations.get(trace ?? '') ?? []) : [on]
  const traced = shown === undefined || on !== undefined ? null : { input: shown.input, output: shown.output }
  const given = generationIn(calls.map(callOf), traced)
  return {
    ...score,
    // the observation that a score names, else the trace: a later score on the same is a change of the vote
    subject: observation ?? (trace as string),
    user: user ?? idOf(shown?.userId),
    ...given,
  }
}

const inOrder = (rows: readonly JsonObject[]): readonly JsonObject[] =>
  [...rows].sort((a, b) => (timeOf(a.startTime) ?? 0) - (timeOf(b.startTime) ?? 0))

const callOf = ({ input, output, model, providedModelName }: JsonObject): Call => ({
  ...{ input, output },
  model: text(model) ?? text(providedModelName),
})
