import { describe, type Fail } from './fields.js'
import { isJsonObject, type JsonObject } from './json.js'
import { absent, checkDepth, readMessages, readObjects } from './messages.js'
import type { Content } from './types.js'

const MAX_TOKEN_ID = 2 ** 31 - 1

const WHOLE_CHAT =
  '; a chat in "messages" is to be split: up to the last question into prompt, the answer into completion'

/**
 * Reads one side of an event, such as `prompt` and `prompt_tokens`: exact ids if given, otherwise text or messages.
 *
 * @param vocabSize  ids must be below it; null if the model is not known
 * @throws what `fail` makes, for a side that is missing, empty or badly typed
 */
export function readContent(
  row: JsonObject,
  textKey: string,
  tokensKey: string,
  prefix: string,
  vocabSize: number | null,
  fail: Fail,
): Content {
  const tokens = row[tokensKey]
  if (tokens !== undefined && tokens !== null) {
    checkTokens(tokens, prefix + tokensKey, vocabSize, fail)
    return { kind: 'tokens', tokens }
  }
  const text = row[textKey]
  const place = prefix + textKey
  if (typeof text === 'string') {
    if (text === '') throw fail(place, 'expected text, got an empty string')
    return { kind: 'text', text }
  }
  if (Array.isArray(text)) return { kind: 'messages', messages: readMessages(text, place, fail) }
  const chat = text === undefined && Array.isArray(row.messages) ? WHOLE_CHAT : ''
  throw fail(place, `expected text, messages or ${tokensKey}, got ${describe(text)}${chat}`)
}

/**
 * Reads the prompt of an event or a pair: `prompt` or `prompt_tokens`, and for messages the `tools` that the model was
 * told of and the `chat_template_kwargs` that the server rendered them with.
 *
 * @throws what `fail` makes
 */
export function readPrompt(row: JsonObject, prefix: string, vocabSize: number | null, fail: Fail): Content {
  const prompt = readContent(row, 'prompt', 'prompt_tokens', prefix, vocabSize, fail)
  const tools = readObjects(row.tools, `${prefix}tools`, fail)
  const templateArguments = readTemplateArguments(row.chat_template_kwargs, `${prefix}chat_template_kwargs`, fail)
  if (prompt.kind !== 'messages' || (tools === null && templateArguments === null)) return prompt
  const given = { ...(tools && { tools }), ...(templateArguments && { chat_template_kwargs: templateArguments }) }
  return { ...prompt, extra: JSON.stringify(given) }
}

/** Names that a template gets from the model and from bcod: a vote that sets them could rewrite the conversation. */
export const RESERVED_ARGUMENTS =
  '^(?:messages|tools|add_generation_prompt|continue_final_message|chat_template|raise_exception|strftime_now' +
  '|namespace|range|[Tt]rue|[Ff]alse|[Nn]one)$|_token$'

const reserved = new RegExp(RESERVED_ARGUMENTS)

function readTemplateArguments(value: unknown, place: string, fail: Fail): JsonObject | null {
  if (absent(value)) return null
  if (!isJsonObject(value)) throw fail(place, `expected an object, got ${describe(value)}`)
  const names = Object.keys(value)
  if (names.some((name) => reserved.test(name))) throw fail(place, "one of its names is not a vote's to set")
  checkDepth(value, place, fail)
  return names.length === 0 ? null : value
}

/** A completion given as messages is what the template adds after a prompt of messages, so it needs one. */
export function checkContinuation(prompt: Content, completion: Content, place: string, fail: Fail): void {
  if (completion.kind === 'messages' && prompt.kind !== 'messages') {
    throw fail(place, 'messages can only continue a prompt that is given as messages')
  }
}

function checkTokens(value: unknown, place: string, vocabSize: number | null, fail: Fail): asserts value is number[] {
  if (!Array.isArray(value)) throw fail(place, `expected an array of token ids, got ${describe(value)}`)
  if (value.length === 0) throw fail(place, 'expected at least one token id, got an empty array')
  const ids: readonly unknown[] = value
  const bound = vocabSize ?? MAX_TOKEN_ID + 1
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]
    if (typeof id === 'number' && id >= 0 && id < bound && (id | 0) === id) continue
    throw fail(`${place}[${i}]`, tokenProblem(id, vocabSize))
  }
}

function tokenProblem(id: unknown, vocabSize: number | null): string {
  if (vocabSize !== null && Number.isInteger(id) && Number(id) >= vocabSize) return outsideVocabulary(vocabSize)
  return `expected a token id (an integer from 0 to ${MAX_TOKEN_ID}), got ${typeof id === 'number' ? 'another number' : describe(id)}`
}

/** The id is not named: it is a piece of somebody's text. */
export const outsideVocabulary = (vocabSize: number): string => `a token id is outside the vocabulary of ${vocabSize}`
