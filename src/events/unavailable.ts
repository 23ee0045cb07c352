import { invalidFeedback } from './fields.js'
import type { JsonObject } from './json.js'

/** What a vote is read from. */
const COLUMNS = [
  ...['label', 'user', 'prompt', 'prompt_tokens', 'completion', 'completion_tokens', 'tools', 'chat_template_kwargs'],
  ...['adapter', 'logprob', 'weight', 'finish_reason'],
] as const

/**
 * Refuses a row with a placeholder in it. PostgreSQL does not log a long column that an update leaves as it was (TOAST),
 * and Debezium writes a fixed word in its place, which must not train as somebody's text.
 *
 * @see Debezium's connector for PostgreSQL, `unavailable.value.placeholder`
 * @throws FEEDBACK_INVALID
 */
export function requireAvailable(row: JsonObject): void {
  for (const column of COLUMNS) {
    if (isPlaceholder(row[column])) throw invalidFeedback(`data.${column}`, UNAVAILABLE)
  }
}

const UNAVAILABLE =
  "Debezium's placeholder for a column that it was not told: the table needs REPLICA IDENTITY FULL, " +
  "or the connector Debezium's reselect post processor"

const PLACEHOLDER = '__debezium_unavailable_value'
const BASE64 = Buffer.from(PLACEHOLDER).toString('base64')
/** In a column of integers its bytes stand for it. */
const BYTES = [...Buffer.from(PLACEHOLDER)]

/** By the column's type: the word, its base64, an array of it or of its bytes, a map of it. */
function isPlaceholder(value: unknown): boolean {
  if (typeof value === 'string') return value === PLACEHOLDER || value === BASE64
  if (typeof value !== 'object' || value === null) return false
  if (!Array.isArray(value)) return Object.hasOwn(value, PLACEHOLDER)
  return value[0] === PLACEHOLDER || (value.length === BYTES.length && BYTES.every((byte, i) => value[i] === byte))
}
