import { describe, type Fail } from './fields.js'
import { isJsonObject, type JsonObject } from './json.js'
import type { Content, Message } from './types.js'

const MAX_TOKEN_ID = 2 ** 31 - 1

const WHOLE_CHAT =
  '; a chat in "messages" is to be split: up to the last question into prompt, the answer into completion'

/**
 * Reads one side of an event, such as `prompt` and `prompt_tokens`: exact ids where they are given, else text or messages.
 *
 * @param vocabSize  ids must be below it; null where the model is not known
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

/** A token id is a piece of somebody's text: which one it is stays unsaid. */
export const outsideVocabulary = (vocabSize: number): string => `a token id is outside the vocabulary of ${vocabSize}`

function readMessages(values: readonly unknown[], place: string, fail: Fail): readonly Message[] {
  if (values.length === 0) throw fail(place, 'expected at least one message, got an empty array')
  return values.map((value, i) => {
    if (!isJsonObject(value)) throw fail(`${place}[${i}]`, `expected a message, got ${describe(value)}`)
    const { role, content } = value
    if (typeof role !== 'string' || role === '') {
      throw fail(`${place}[${i}].role`, `expected a non-empty string, got ${describe(role)}`)
    }
    return { role, content: readText(content, `${place}[${i}].content`, fail) }
  })
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
