import { isJsonObject, type JsonObject } from '../../events/json.js'
import { invalidVote } from './vote.js'

/**
 * Votes in the forms of other products' APIs, as the body of `POST /v1/feedback`. What names the answer there is the id
 * that the gateway gave it. What does not fit is refused where the body is read (`readVote`).
 */

const RATINGS: ReadonlyMap<unknown, boolean | null> = new Map([
  ['like', true],
  ['dislike', false],
  [null, null],
])

/**
 * Dify's `POST /v1/messages/ID/feedbacks`: `{"rating": "like" | "dislike" | null, "user", "content"?}`.
 *
 * @see https://docs.dify.ai/en/api-reference/feedback/submit-message-feedback
 */
export function fromDify(messageId: string, body: unknown): JsonObject {
  if (!isJsonObject(body)) throw invalidVote('body', 'expected a JSON object')
  const label = RATINGS.get(body.rating)
  if (label === undefined) throw invalidVote('rating', 'expected like, dislike or null')
  return { completion: messageId, label, user: body.user, reason: body.content }
}

/**
 * Langfuse's `POST /api/public/scores`: a score of 1 is a thumbs-up, one of 0 or −1 a thumbs-down, of any name. The answer
 * is the observation, or else the trace.
 *
 * @see https://api.reference.langfuse.com, scores
 */
export function fromLangfuse(body: unknown): JsonObject {
  if (!isJsonObject(body)) throw invalidVote('body', 'expected a JSON object')
  const { observationId, traceId, value, comment, metadata } = body
  const user = isJsonObject(metadata) ? metadata.user : undefined
  return { completion: observationId ?? traceId, label: thumb(value, 'value'), user, reason: comment }
}

/** An event of Langfuse's ingestion. */
export interface IngestionEvent {
  readonly id: string
  /** The body of a score, read when it is asked for: one that is wrong must not hide the others. Null: no score. */
  readonly vote: (() => JsonObject) | null
}

/** Most events of one request. */
const MOST = 1_000

/**
 * Langfuse's `POST /api/public/ingestion`: a batch of events, of which those of type `score-create` have a score as body.
 *
 * @see https://api.reference.langfuse.com, ingestion
 */
export function fromLangfuseBatch(body: unknown): readonly IngestionEvent[] {
  const batch = isJsonObject(body) ? body.batch : null
  if (!Array.isArray(batch) || batch.length > MOST)
    throw invalidVote('batch', `expected an array of up to ${MOST} events`)
  return batch.map((event: unknown, i) => {
    if (!isJsonObject(event) || typeof event.id !== 'string') throw invalidVote(`batch[${i}].id`, 'expected a text')
    const { id, type, timestamp } = event
    if (type !== 'score-create') return { id, vote: null }
    // the id alone is not enough: some clients give all changes of one score the same
    return { id, vote: () => ({ ...fromLangfuse(event.body), sequence: `${id} ${String(timestamp)}` }) }
  })
}

const EVALUATION = 'gen_ai.evaluation.result'

/**
 * The events `gen_ai.evaluation.result` of an OTLP request with logs in JSON (`POST /v1/logs`); null in place of every
 * other log record. A score of 1 is a thumbs-up, one of 0 or −1 a thumbs-down.
 *
 * @returns the bodies, read when they are asked for: one that is wrong must not hide the others
 * @see OpenTelemetry's semantic conventions for generative AI, events; OTLP 1.5, JSON
 */
export function fromOpenTelemetry(body: unknown): readonly ((() => JsonObject) | null)[] {
  if (!isJsonObject(body)) throw invalidVote('body', 'expected a JSON object')
  return objects(body.resourceLogs)
    .flatMap(({ scopeLogs }) => objects(scopeLogs))
    .flatMap(({ logRecords }) => objects(logRecords))
    .map((record) => {
      const attributes = attributesOf(record)
      if ((record.eventName ?? attributes.get('event.name')) !== EVALUATION) return null
      return () => evaluation(record, attributes)
    })
}

const evaluation = (record: JsonObject, attributes: ReadonlyMap<string, unknown>): JsonObject => ({
  completion: attributes.get('gen_ai.response.id'),
  label: thumb(attributes.get('gen_ai.evaluation.score.value'), 'gen_ai.evaluation.score.value'),
  user: attributes.get('user.id') ?? attributes.get('enduser.id'),
  reason: attributes.get('gen_ai.evaluation.explanation'),
  // an exporter that sends it again does not change it
  sequence: record.timeUnixNano === undefined ? undefined : String(record.timeUnixNano),
})

function attributesOf({ attributes }: JsonObject): ReadonlyMap<string, unknown> {
  const pairs = objects(attributes).map(({ key, value }) => [String(key), scalar(value)] as const)
  return new Map(pairs)
}

/** OTLP wraps a value in an object that names its type; a 64-bit integer is a string in JSON. */
function scalar(value: unknown): unknown {
  if (!isJsonObject(value)) return undefined
  const { stringValue, doubleValue, intValue } = value
  return stringValue ?? doubleValue ?? (intValue === undefined ? undefined : Number(intValue))
}

function thumb(value: unknown, place: string): boolean {
  if (value === 1 || value === true) return true
  if (value === 0 || value === -1 || value === false) return false
  throw invalidVote(place, 'expected 1 for a thumbs-up, 0 or -1 for a thumbs-down')
}

const objects = (value: unknown): readonly JsonObject[] => (Array.isArray(value) ? value.filter(isJsonObject) : [])
