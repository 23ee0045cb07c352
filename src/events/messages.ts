import { describe, type Fail } from './fields.js'
import { isJsonObject, type JsonObject, jsonOrNull } from './json.js'
import type { Message } from './types.js'

/** Who may speak in a conversation: the roles that chat templates know. A template may still refuse one of them. */
export const ROLES = [
  'system',
  'developer',
  'user',
  'assistant',
  'model',
  'tool',
  'function',
  'ipython',
  'observation',
] as const

/** How deep tools, tool calls and template arguments may nest. Schemas of tools have fewer than ten levels. */
export const MAX_DEPTH = 32

/**
 * Reads the messages of one side. Beside role and content they keep what a template may write of a message:
 * `name`, `tool_calls`, `tool_call_id` and the reasoning (`reasoning_content`, `reasoning`, `thinking`).
 *
 * @throws what `fail` makes
 */
export function readMessages(values: readonly unknown[], place: string, fail: Fail): readonly Message[] {
  if (values.length === 0) throw fail(place, 'expected at least one message, got an empty array')
  return values.map((value, i) => {
    if (!isJsonObject(value)) throw fail(`${place}[${i}]`, `expected a message, got ${describe(value)}`)
    return readMessage(value, `${place}[${i}]`, fail)
  })
}

function readMessage(value: JsonObject, place: string, fail: Fail): Message {
  const role = ROLES.find((known) => known === value.role)
  if (role === undefined) {
    throw fail(`${place}.role`, `expected one of ${ROLES.join(', ')}, got ${describe(value.role)}`)
  }
  const toolCalls = readToolCalls(value, place, fail)
  const optional = {
    name: optionalText(value.name, `${place}.name`, fail),
    tool_calls: toolCalls,
    tool_call_id: optionalText(value.tool_call_id, `${place}.tool_call_id`, fail),
    reasoning_content: readReasoning(value, place, fail),
  }
  const given = Object.entries(optional).filter(([, field]) => field !== null)
  const extra = given.length === 0 ? {} : { extra: JSON.stringify(Object.fromEntries(given)) }
  const { content } = value
  if ((content === undefined || content === null) && toolCalls !== null) return { role, content: null, ...extra }
  return { role, content: readText(content, `${place}.content`, fail), ...extra }
}

/**
 * The content of a message: a text, or a list of text parts as chat and responses APIs have them. The texts of parts
 * follow one another with nothing between, which is what templates print that go through the parts.
 */
function readText(content: unknown, place: string, fail: Fail): string {
  if (typeof content === 'string') return content
  if (!Array.isArray(content) || content.length === 0) {
    throw fail(place, `expected a string or text parts, got ${describe(content)}`)
  }
  const parts: readonly unknown[] = content
  return parts.map((part, i) => partText(part, `${place}[${i}]`, fail)).join('')
}

const TEXT_PARTS: readonly unknown[] = ['text', 'input_text', 'output_text']

function partText(part: unknown, place: string, fail: Fail): string {
  if (!isJsonObject(part)) throw fail(place, `expected a text part, got ${describe(part)}`)
  if (!TEXT_PARTS.includes(part.type))
    throw fail(`${place}.type`, 'expected "text": no other part of a message can be trained')
  if (typeof part.text !== 'string') throw fail(`${place}.text`, `expected a string, got ${describe(part.text)}`)
  return part.text
}

/** `tool_calls`, or the single `function_call` that they have replaced. */
function readToolCalls(value: JsonObject, place: string, fail: Fail): readonly JsonObject[] | null {
  const calls = readObjects(value.tool_calls, `${place}.tool_calls`, fail)
  for (const [i, call] of (calls ?? []).entries()) checkToolCall(call, `${place}.tool_calls[${i}]`, fail)
  if (absent(value.function_call)) return calls
  checkDepth(value.function_call, `${place}.function_call`, fail)
  const call = { type: 'function', function: value.function_call }
  checkToolCall(call, `${place}.function_call`, fail)
  return calls ?? [call]
}

/** A call as the API has it, `{"function": {"name", "arguments"}}`, or as datasets do, `{"name", "arguments"}`. */
function checkToolCall(call: JsonObject, place: string, fail: Fail): void {
  const called = absent(call.function) ? call : call.function
  if (!isJsonObject(called)) throw fail(`${place}.function`, `expected an object, got ${describe(called)}`)
  if (typeof called.name !== 'string' || called.name === '') {
    throw fail(`${place}.name`, `expected a non-empty string, got ${describe(called.name)}`)
  }
  const given = called.arguments
  if (!absent(given) && typeof given !== 'string' && !isJsonObject(given)) {
    throw fail(`${place}.arguments`, `expected an object or its JSON, got ${describe(given)}`)
  }
  // templates get them as an object
  if (typeof given === 'string') checkDepth(jsonOrNull(given), `${place}.arguments`, fail)
}

/** The model's thinking: under the name that templates read, or those that servers have given it since and before. */
const readReasoning = (value: JsonObject, place: string, fail: Fail): string | null =>
  ['reasoning_content', 'reasoning', 'thinking']
    .map((name) => optionalText(value[name], `${place}.${name}`, fail))
    .find((given) => given !== null) ?? null

/** Null or missing or empty, or a string. */
function optionalText(value: unknown, place: string, fail: Fail): string | null {
  if (absent(value) || value === '') return null
  if (typeof value !== 'string') throw fail(place, `expected a string, got ${describe(value)}`)
  return value
}

/** Null or missing or empty, or an array of objects that do not nest too deeply. */
export function readObjects(value: unknown, place: string, fail: Fail): readonly JsonObject[] | null {
  if (absent(value)) return null
  if (!Array.isArray(value)) throw fail(place, `expected an array, got ${describe(value)}`)
  const objects: readonly unknown[] = value
  for (const [i, object] of objects.entries()) {
    if (!isJsonObject(object)) throw fail(`${place}[${i}]`, `expected an object, got ${describe(object)}`)
  }
  for (const object of objects) checkDepth(object, place, fail)
  return objects.length === 0 ? null : (objects as readonly JsonObject[])
}

/** What nests deeper than `MAX_DEPTH` is refused: templates and tokenisers walk through it by recursion. */
export function checkDepth(value: unknown, place: string, fail: Fail): void {
  if (deeper(value, MAX_DEPTH)) throw fail(place, `expected at most ${MAX_DEPTH} levels`)
}

const deeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((inner) => deeper(inner, levels - 1)))

export const absent = (value: unknown): value is null | undefined => value === undefined || value === null
