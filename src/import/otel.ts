import type { JsonObject } from '../events/json.js'
import { object, objects } from './values.js'

/**
 * Attributes `[{key, value}]` of OpenTelemetry's JSON, as plain values. Names are in snake or camel case.
 *
 * @see OpenTelemetry protocol, common.proto, AnyValue
 */
export const otelAttributes = (attributes: unknown): JsonObject =>
  Object.fromEntries(objects(attributes).map(({ key, value }) => [String(key), plain(object(value))]))

function plain(value: JsonObject): unknown {
  const list = value.array_value ?? value.arrayValue
  if (list !== undefined) return objects(object(list).values).map(plain)
  const pairs = value.kvlist_value ?? value.kvlistValue
  if (pairs !== undefined) return otelAttributes(object(pairs).values)
  const integer = value.int_value ?? value.intValue
  if (integer !== undefined) return Number(integer)
  const scalar = value.string_value ?? value.stringValue ?? value.bool_value ?? value.boolValue
  return scalar ?? value.double_value ?? value.doubleValue ?? null
}
