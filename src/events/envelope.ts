import { BcodError } from '../errors.js'
import { describe, invalidFeedback, utf8 } from './fields.js'
import { isJsonObject, type JsonObject, parseJson } from './json.js'
import type { LogRecord } from './types.js'

/** A record taken apart, nothing in it checked. */
export interface Envelope {
  /** CloudEvents context attributes by name; null for a bare row, whose fields are `data`. */
  readonly attributes: JsonObject | null
  readonly data: unknown
  /** Whether a schema registry's five bytes stood before the JSON. */
  readonly framed: boolean
}

type Headers = LogRecord['headers']

const FRAME_BYTES = 5

/**
 * Takes a record apart by its form:
 * - a structured CloudEvent: content type `application/cloudevents+json`, or a JSON object with `specversion` or `data`;
 * - a binary CloudEvent: attributes in `ce_*` headers, the value is the data;
 * - else a bare row.
 *
 * What Confluent's serialisers put before the JSON, a zero and the schema's id in four bytes, is skipped: no JSON text
 * begins with a zero byte.
 *
 * A record without a value is a tombstone and carries no event.
 *
 * @param maxBytes  longest accepted value, in bytes; a longer one is not parsed
 * @throws FEEDBACK_TOO_LARGE, FEEDBACK_NOT_JSON, FEEDBACK_INVALID where the JSON is not an object
 * @see CloudEvents 1.0, Kafka protocol binding, section 3
 */
export function decodeEnvelope(value: Uint8Array, headers: Headers, maxBytes: number): Envelope {
  if (value.byteLength > maxBytes) {
    throw new BcodError('FEEDBACK_TOO_LARGE', `${value.byteLength} bytes, at most ${maxBytes} are accepted`)
  }
  const framed = value[0] === 0 && value.byteLength > FRAME_BYTES
  const json = parseJson(framed ? value.subarray(FRAME_BYTES) : value)
  if (isBinary(headers)) return { attributes: binaryAttributes(headers), data: json, framed }
  if (!isJsonObject(json)) throw invalidFeedback('$', `expected an object, got ${describe(json)}`)
  if (json.specversion !== undefined || json.data !== undefined || isStructured(headers)) {
    return { attributes: json, data: json.data, framed }
  }
  return { attributes: null, data: json, framed }
}

function isStructured(headers: Headers): boolean {
  const contentType = headers['content-type']
  return contentType !== undefined && /^application\/cloudevents\+json\b/i.test(Buffer.from(contentType).toString())
}

/** Any of the required attributes makes it binary, so that a missing one is named. */
const isBinary = (headers: Headers): boolean =>
  Boolean(headers.ce_specversion ?? headers.ce_type ?? headers.ce_source ?? headers.ce_id) && !isStructured(headers)

/** The attributes that feedback uses. */
const ATTRIBUTES = ['specversion', 'type', 'source', 'id', 'time', 'subject'] as const

const binaryAttributes = (headers: Headers): JsonObject =>
  Object.fromEntries(
    ATTRIBUTES.map((name) => {
      const bytes = headers[`ce_${name}`]
      return [name, bytes && utf8(bytes, name, invalidFeedback)]
    }),
  )
