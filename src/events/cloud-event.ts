import { invalidFeedback, utf8 } from './fields.js'
import type { JsonObject } from './json.js'
import type { LogRecord } from './types.js'

export const FEEDBACK_TYPE = 'bcod.feedback.v1'

/** The form of a record, according to its headers. */
export interface HeaderForm {
  /** `structured`: the content type says that the value is a whole CloudEvent. */
  readonly structured: boolean
  /** The attributes of a binary CloudEvent; null if no header looks like one. */
  readonly attributes: JsonObject | null
}

/**
 * Reads what CloudEvents put into headers, however the client spells it. The Kafka binding says `ce_id`; HTTP says
 * `ce-id`, AMQP and JMS `cloudEvents:id` and `cloudEvents_id`; bridges keep those, in any case, and Spring writes the
 * values as JSON strings.
 *
 * @throws FEEDBACK_INVALID if a header is not UTF-8, two spellings disagree, or the content type is a batch or no JSON
 * @see CloudEvents 1.0, protocol bindings for Kafka (3.2), HTTP (3.1.3), AMQP (3.1.3) and JMS
 */
export function readHeaders(headers: LogRecord['headers']): HeaderForm {
  let attributes: Record<string, unknown> | null = null
  let structured = false
  for (const [header, bytes] of Object.entries(headers)) {
    const prefix = ATTRIBUTE_HEADER.exec(header)?.[0]
    if (prefix !== undefined) {
      const attribute = header.slice(prefix.length).trim().toLowerCase()
      attributes ??= Object.create(null) as Record<string, unknown>
      if (!READ_ATTRIBUTES.has(attribute)) continue
      const text = unquoted(utf8(bytes, attribute, invalidFeedback))
      const value = prefix.toLowerCase() === HTTP_PREFIX ? percentDecoded(text) : text
      if ((attributes[attribute] ?? value) !== value) {
        throw invalidFeedback(attribute, 'two headers give it different values')
      }
      attributes[attribute] = value
    } else if (CONTENT_TYPE_HEADER.test(header)) structured ||= isStructured(Buffer.from(bytes).toString())
  }
  return { structured, attributes }
}

const ATTRIBUTE_HEADER = /^(?:ce|cloudevents?)[_:.-]/i
/** Of the binding that percent-encodes the values (HTTP, 3.1.3.2); the others write them as they are. */
const HTTP_PREFIX = 'ce-'
const CONTENT_TYPE_HEADER = /^content[-_]?type$/i
const READ_ATTRIBUTES: ReadonlySet<string> = new Set(['specversion', 'type', 'source', 'id', 'subject'])

/** `application/cloudevents`, with `+json` behind it or nothing. */
function isStructured(contentType: string): boolean {
  const match = CLOUD_EVENTS_TYPE.exec(unquoted(contentType))
  if (match === null) return false
  const [, batch, format = '+json'] = match
  if (batch !== undefined)
    throw invalidFeedback(
      'content-type',
      'a batch of CloudEvents: one record is one vote, send each as a record of its own',
    )
  if (format.toLowerCase() !== '+json')
    throw invalidFeedback('content-type', 'a CloudEvent in another format than JSON')
  return true
}

const CLOUD_EVENTS_TYPE = /^\s*application\/cloudevents(-batch)?(\+[\w.-]+)?/i

/** The text of a JSON string, if the value is one. */
function unquoted(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text
  try {
    return String(JSON.parse(text))
  } catch {
    return text
  }
}

/** A text with each percent-encoded character in its place; what encodes none stays as it is. */
const percentDecoded = (text: string): string =>
  text.replace(PERCENT_ENCODED, (encoded) => {
    try {
      return decodeURIComponent(encoded)
    } catch {
      return encoded
    }
  })

/** A character of UTF-8, one to four bytes. */
const PERCENT_ENCODED =
  /%[0-7][\da-f]|%[cd][\da-f]%[89ab][\da-f]|%e[\da-f](?:%[89ab][\da-f]){2}|%f[0-7](?:%[89ab][\da-f]){3}/gi

/** Keys that a CloudEvent has and a bare row does not, in any case; versions before 0.2 had the second. */
const MARKS: ReadonlySet<string> = new Set(['specversion', 'cloudeventsversion', 'data', 'data_base64'])

/** Whether a value looks like a whole CloudEvent, right or wrong. */
export function looksLikeCloudEvent(value: JsonObject): boolean {
  if (value.specversion !== undefined || value.data !== undefined || value.type === FEEDBACK_TYPE) return true
  for (const key in value) if (MARKS.has(key.toLowerCase())) return true
  return false
}
