import { BcodError } from '../errors.js'
import { looksLikeCloudEvent, readHeaders } from './cloud-event.js'
import { describe, invalidFeedback } from './fields.js'
import { frameLength } from './frames.js'
import { isJsonObject, type JsonObject, parseJson } from './json.js'
import type { LogRecord } from './types.js'
import { requireAvailable } from './unavailable.js'
import { dataOf, isDapr, ownAttributes, tableRow, type Unwrap, withoutLayers } from './wrappers.js'

/** A decoded record, not validated. */
export interface Envelope {
  /** CloudEvents context attributes by name; null for a bare row, whose fields are `data`. */
  readonly attributes: JsonObject | null
  readonly data: unknown
  /** Of a row of a database table: its key, under which the vote can change. */
  readonly subject?: string
  /** Whether a schema registry's bytes stood before the JSON. */
  readonly framed: boolean
}

export interface EnvelopeOptions {
  /** Of the record. @default null */
  readonly key?: Uint8Array | null
  /** @default 'auto' */
  readonly unwrap?: Unwrap
}

/**
 * Takes a record apart by its form:
 * - a structured CloudEvent: a JSON object that looks like one, or the content type `application/cloudevents+json`;
 * - a binary CloudEvent: attributes in `ce_*` headers, the value is the data;
 * - a change event of Debezium, whole or flattened: a row of a table;
 * - else a bare row.
 *
 * What has any mark of a CloudEvent is one, so that a wrong one is refused and never taken for a bare row: its
 * duplicates would train twice. What serialisers and bridges put around the JSON is taken off (`frames.ts`,
 * `wrappers.ts`).
 *
 * A record without a value is a tombstone and carries no event.
 *
 * @param maxBytes  maximum bytes of key, value and headers together; a larger record is not parsed
 * @throws FEEDBACK_TOO_LARGE, FEEDBACK_NOT_JSON, FEEDBACK_INVALID if the JSON is not an object
 * @see CloudEvents 1.0, Kafka protocol binding, section 3
 */
export function decodeEnvelope(
  value: Uint8Array,
  headers: LogRecord['headers'],
  maxBytes: number,
  { key = null, unwrap = 'auto' }: EnvelopeOptions = {},
): Envelope {
  const bytes = value.byteLength + (key?.byteLength ?? 0) + headerBytes(headers)
  if (bytes > maxBytes) throw new BcodError('FEEDBACK_TOO_LARGE', `${bytes} bytes, at most ${maxBytes} are accepted`)
  const form = readHeaders(headers)
  const frame = frameLength(value)
  const framed = frame > 0
  const json = withoutLayers(parseJson(framed ? value.subarray(frame) : value), '$', unwrap)
  if (Array.isArray(json)) throw invalidFeedback('$', `expected an object, got ${describe(json)}${ONE_EACH}`)
  const isEvent = isJsonObject(json) && looksLikeCloudEvent(json)
  if (isEvent && (form.attributes === null || json.specversion !== undefined || form.structured)) {
    return structured(json, framed, unwrap)
  }
  if (form.attributes !== null) return { attributes: ownAttributes(form.attributes), data: json, framed }
  if (!isJsonObject(json)) throw invalidFeedback('$', `expected an object, got ${describe(json)}`)
  if (form.structured) return structured(json, framed, unwrap)
  const row = tableRow(json, { key, headers }, unwrap) ?? { data: json }
  requireAvailable(row.data)
  return { attributes: null, ...row, framed }
}

function headerBytes(headers: LogRecord['headers']): number {
  let bytes = 0
  for (const name in headers) bytes += name.length + headers[name]!.byteLength
  return bytes
}

const ONE_EACH = ': one record is one vote, send each as a record of its own'

function structured(event: JsonObject, framed: boolean, unwrap: Unwrap): Envelope {
  const data = dataOf(event, unwrap)
  if (isDapr(event) && isJsonObject(data) && looksLikeCloudEvent(data)) {
    return { attributes: data, data: dataOf(data, unwrap), framed }
  }
  return { attributes: ownAttributes(event), data, framed }
}
