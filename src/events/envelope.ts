import { BcodError } from '../errors.js'
import { describe, invalidFeedback } from './fields.js'
import { isJsonObject, type JsonObject, parseJson } from './json.js'
import type { LogRecord } from './types.js'

/** A record taken apart, nothing in it checked. */
export interface Envelope {
  /** CloudEvents context attributes by name; null for a bare row, whose fields are `data`. */
  readonly attributes: JsonObject | null
  readonly data: unknown
}

type Headers = LogRecord['headers']

/**
 * Takes a record apart by its form:
 * - a structured CloudEvent: content type `application/cloudevents+json`, or a JSON object with `specversion` or `data`;
 * - a binary CloudEvent: attributes in `ce_*` headers, the value is the data;
 * - else a bare row.
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
  const json = parseJson(value)
  if (isBinary(headers)) return { attributes: binaryAttributes(headers), data: json }
  if (!isJsonObject(json)) throw invalidFeedback('$', `expected an object, got ${describe(json)}`)
  if (json.specversion !== undefined || json.data !== undefined || isStructured(headers)) {
    return { attributes: json, data: json.data }
  }
  return { attributes: null, data: json }
}

function isStructured(headers: Headers): boolean {
  const contentType = headers['content-type']
  return contentType !== undefined && /^application\/cloudevents\+json\b/i.test(Buffer.from(contentType).toString())
}

/** Any of the required attributes makes it binary, so that a missing one is named. */
const isBinary = (headers: Headers): boolean =>
  Boolean(headers.ce_specversion ?? headers.ce_type ?? headers.ce_source ?? headers.ce_id) && !isStructured(headers)

/** The attributes that feedback uses. */
const binaryAttributes = (headers: Headers): JsonObject => ({
  specversion: utf8('specversion', headers.ce_specversion),
  type: utf8('type', headers.ce_type),
  source: utf8('source', headers.ce_source),
  id: utf8('id', headers.ce_id),
  time: utf8('time', headers.ce_time),
  subject: utf8('subject', headers.ce_subject),
})

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

function utf8(name: string, bytes: Uint8Array | undefined): string | undefined {
  if (bytes === undefined) return undefined
  try {
    return strictUtf8.decode(bytes)
  } catch {
    throw invalidFeedback(name, 'expected UTF-8 in the header')
  }
}
