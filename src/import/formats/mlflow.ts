import type { JsonObject } from '../../events/json.js'
import { eachRow, type Format, type ReadOptions } from '../format.js'
import { type Call, type Generation, generationIn } from '../generation.js'
import { labelOf } from '../label.js'
import { otelAttributes } from '../otel.js'
import { idOf, object, objects, requiredId, text, timeOf, unquoted } from '../values.js'
import { type Finding, type ForeignVote, finding, Skipped } from '../vote.js'

/**
 * MLflow: traces with their assessments, as `Trace.to_json()` and the REST API give them. Which assessment is the vote,
 * its project decides: by default each of a person whose value is a thumb.
 */
export const mlflow: Format = {
  name: 'mlflow',
  what: 'MLflow, traces with assessments',
  lists: ['traces'],
  read: (rows, options) => eachRow(rows, (value, place) => votesOf(object(value.trace ?? value), place, options)),
}

function* votesOf(trace: JsonObject, place: string, options: ReadOptions): Generator<Finding> {
  const info = object(trace.info ?? trace.trace_info)
  const assessments = objects(info.assessments)
  if (assessments.length === 0) return yield { place, skip: 'not_a_vote' }
  for (const [i, assessment] of assessments.entries()) {
    yield finding(`${place} assessments[${i}]`, () => voteOf(assessment, trace, info, options))
  }
}

function voteOf(assessment: JsonObject, trace: JsonObject, info: JsonObject, options: ReadOptions): ForeignVote {
  const { assessment_name: named, source, feedback, valid } = assessment
  if (feedback === undefined) throw new Skipped('not_a_vote')
  if (options.name !== undefined && named !== options.name) throw new Skipped('other_name')
  if (object(source).source_type !== 'HUMAN') throw new Skipped('not_human')
  // another one has taken its place
  if (valid === false) throw new Skipped('superseded')
  const label = labelOf(object(feedback).value, options)
  const changed = requiredId(assessment.last_update_time, 'last_update_time')
  return {
    id: `${requiredId(assessment.assessment_id, 'assessment_id')}@${changed}`,
    subject: requiredId(info.trace_id, 'trace_id'),
    user: idOf(object(source).source_id),
    label,
    time: timeOf(changed),
    ...generationOf(trace, object(info.trace_metadata)),
  }
}

function generationOf(trace: JsonObject, metadata: JsonObject): Generation {
  const data = object(trace.data)
  const spans = objects(data.spans ?? trace.spans).map(spanOf)
  const root = spans.find(({ parent }) => parent === null)
  const shown = {
    input: root?.input ?? unquoted(data.request ?? metadata['mlflow.traceInputs']),
    output: root?.output ?? unquoted(data.response ?? metadata['mlflow.traceOutputs']),
  }
  const calls = spans.filter(({ type }) => type === 'LLM' || type === 'CHAT_MODEL').sort((a, b) => a.start - b.start)
  return generationIn(calls, shown.output === undefined ? null : shown)
}

interface Span extends Call {
  readonly parent: string | null
  readonly type: string | null
  readonly start: number
}

/** Attributes are JSON in a file and OpenTelemetry's typed values from the API. */
function spanOf(span: JsonObject): Span {
  const attributes = Array.isArray(span.attributes) ? otelAttributes(span.attributes) : object(span.attributes)
  const attribute = (name: string): unknown => unquoted(attributes[`mlflow.${name}`])
  const input = attribute('spanInputs')
  return {
    ...{ input, output: attribute('spanOutputs') },
    model: text(attribute('llm.model')) ?? text(object(input).model),
    parent: text(span.parent_span_id),
    type: text(attribute('spanType')),
    start: Number(span.start_time_unix_nano) || 0,
  }
}
