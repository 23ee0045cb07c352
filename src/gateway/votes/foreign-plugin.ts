import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { BcodError } from '../../errors.js'
import { isJsonObject, type JsonObject } from '../../events/json.js'
import { statusOf } from '../http/errors.js'
import { fromDify, fromLangfuse, fromLangfuseBatch, fromOpenTelemetry, type IngestionEvent } from './foreign-votes.js'

export interface ForeignVotesOptions {
  /** @throws VOTE_UNAUTHORISED without an API key */
  readonly authorise: (bearer: string | null) => void
  /** Takes the body of `POST /v1/feedback`. @returns the id of the event, once Kafka has acknowledged it */
  readonly accept: (
    request: FastifyRequest,
    reply: FastifyReply,
    vote: { readonly body: unknown; readonly bearer: string | null },
  ) => Promise<string>
  /** A vote of a request with several is refused, and the others are not. */
  readonly refused: (error: BcodError) => void
  /** Events of a request that are no votes, and were acknowledged. */
  readonly ignored: (count: number) => void
}

/**
 * Votes in the forms of Dify, Langfuse and OpenTelemetry, from applications that send them already: they keep the client
 * that they have, and give it the gateway's address and an API key.
 */
export function registerForeignVotes(fastify: FastifyInstance, options: ForeignVotesOptions): void {
  const { accept, refused } = options
  fastify.post('/v1/messages/:id/feedbacks', async (request, reply) => {
    const { id } = request.params as { readonly id: string }
    await accept(request, reply, { body: fromDify(id, request.body), bearer: keyOf(request) })
    return { result: 'success' }
  })

  fastify.post('/api/public/scores', async (request, reply) => {
    const event = await accept(request, reply, { body: fromLangfuse(request.body), bearer: keyOf(request) })
    return { id: (isJsonObject(request.body) ? request.body.id : null) ?? event }
  })

  fastify.post('/api/public/ingestion', async (request, reply) => {
    const bearer = keyOf(request)
    options.authorise(bearer)
    const events = fromLangfuseBatch(request.body)
    const outcomes = await ingest(events, options, (body) => accept(request, reply, { body, bearer }))
    return reply.status(207).send(outcomes)
  })

  fastify.post('/v1/logs', async (request, reply) => {
    const errors: BcodError[] = []
    let others = 0
    for (const read of fromOpenTelemetry(request.body)) {
      if (read === null) {
        others += 1
        continue
      }
      try {
        await accept(request, reply, { body: read(), bearer: keyOf(request) })
      } catch (error) {
        if (!isOfThisVote(error)) throw error
        refused(error)
        errors.push(error)
      }
    }
    return answerTo(others, errors)
  })
}

/** Langfuse's answer: what became of each event. */
interface Ingested {
  readonly successes: { readonly id: string; readonly status: number }[]
  readonly errors: { readonly id: string; readonly status: number; readonly message: string; readonly error: string }[]
}

/** One event after the other, since a later score may change an earlier one. */
async function ingest(
  events: readonly IngestionEvent[],
  { refused, ignored }: ForeignVotesOptions,
  accept: (body: JsonObject) => Promise<unknown>,
): Promise<Ingested> {
  const { successes, errors }: Ingested = { successes: [], errors: [] }
  let away: BcodError | null = null
  for (const { id, vote } of events) {
    try {
      // without Kafka, each of the others would wait for it once more
      if (vote !== null && away !== null) throw away
      if (vote === null) ignored(1)
      else await accept(vote())
      successes.push({ id, status: 201 })
    } catch (error) {
      if (!(error instanceof BcodError)) throw error
      if (error.code === 'LOG_UNAVAILABLE') away = error
      refused(error)
      errors.push({ id, status: statusOf(error), message: error.line, error: error.code })
    }
  }
  return { successes, errors }
}

/** OTLP's answer: what was refused is not sent again. */
function answerTo(others: number, errors: readonly BcodError[]): object {
  const [first] = errors
  if (others === 0 && first === undefined) return {}
  const errorMessage = first?.line ?? 'only events gen_ai.evaluation.result are taken'
  return { partialSuccess: { rejectedLogRecords: others + errors.length, errorMessage } }
}

/** Of all requests, an exporter must repeat those that the gateway can take later, and nobody's without a key. */
const OF_THE_REQUEST: ReadonlySet<string> = new Set(['LOG_UNAVAILABLE', 'VOTE_RATE', 'VOTE_UNAUTHORISED'])
const isOfThisVote = (error: unknown): error is BcodError =>
  error instanceof BcodError && !OF_THE_REQUEST.has(error.code)

/** The API key as a bearer token, or as the password of basic authentication: Langfuse's clients send two keys so. */
function keyOf({ headers }: FastifyRequest): string | null {
  const [, scheme, value] = /^(Bearer|Basic) +(\S+)$/i.exec(headers.authorization ?? '') ?? []
  if (scheme === undefined || value === undefined) return null
  if (scheme.toLowerCase() === 'bearer') return value
  const pair = Buffer.from(value, 'base64').toString()
  return pair.slice(pair.indexOf(':') + 1)
}
