import { BcodError } from '../../errors.js'
import { STRUCTURED_HEADERS } from '../../events/encode.js'
import { decodeEnvelope } from '../../events/envelope.js'
import { toFeedback } from '../../events/feedback.js'
import { hashedUser } from '../../events/hashed-user.js'
import { isJsonObject, type JsonObject } from '../../events/json.js'
import { invalidVote } from './vote.js'
import type { VoteEvent } from './vote-event.js'

export interface EventsOptions {
  readonly userSalt: string
  /** `source` of the events that the gateway itself makes. */
  readonly ownSource: string
}

/** Most events of a batch. */
const MOST = 1_000

/**
 * The events of a request body: one CloudEvent, or an array of them. Each is read as the daemon will read it, and its
 * user becomes a salted hash. None may have the source of the gateway's own events: those are of answers that it gave.
 *
 * @throws VOTE_INVALID with the place of what is wrong; then none of them is taken
 */
export function readEvents(body: unknown, isBatch: boolean, gateway: EventsOptions): readonly VoteEvent[] {
  if (!isBatch) return [readEvent(body, '', gateway)]
  if (!Array.isArray(body) || body.length === 0 || body.length > MOST)
    throw invalidVote('body', `expected an array of 1 to ${MOST} events`)
  return body.map((event, i) => readEvent(event, `[${i}] `, gateway))
}

/** A CloudEvent in binary mode: attributes in headers, data in the body (CloudEvents 1.0, HTTP binding, 3.1). */
export const structured = (headers: Readonly<Record<string, unknown>>, data: unknown): JsonObject => ({
  ...Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      name.startsWith('ce-') && typeof value === 'string' ? [[name.slice(3), percentDecoded(value)]] : [],
    ),
  ),
  data,
})

function readEvent(event: unknown, place: string, { userSalt, ownSource }: EventsOptions): VoteEvent {
  if (!isJsonObject(event) || !isJsonObject(event.data))
    throw invalidVote(`${place}data`, 'expected a CloudEvent with data')
  try {
    const value = Buffer.from(JSON.stringify(event))
    const envelope = decodeEnvelope(value, STRUCTURED_HEADERS, Number.POSITIVE_INFINITY)
    const { id, subject, user, source } = toFeedback(envelope, NOWHERE, { vocabSize: null })
    if (source === ownSource)
      throw invalidVote('source', "expected another source than gateway.source, the gateway's own")
    if (user === null) return { id, subject: subject ?? id, value }
    const hashed = { ...event, data: { ...event.data, user: hashedUser(user, userSalt) } }
    return { id, subject: subject ?? id, value: Buffer.from(JSON.stringify(hashed)) }
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    throw invalidVote(`${place}${error.place ?? 'body'}`, error.message)
  }
}

const NOWHERE = { topic: '', partition: 0, offset: 0, timestamp: 0 }

function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value)
  } catch {
    throw invalidVote('headers', 'a ce- header is not percent-encoded UTF-8')
  }
}
