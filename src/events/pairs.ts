import { BcodError } from '../errors.js'
import { checkContinuation, readContent, readPrompt } from './content.js'
import { describe, type Fail } from './fields.js'
import { isJsonObject, parseJson } from './json.js'
import { eachRow, type JsonlOptions } from './jsonl.js'
import type { Content } from './types.js'

export interface PairOptions extends JsonlOptions {
  /** Rows may have a `name` and a `weight`; otherwise fields of these names are passed over. @default false */
  readonly named?: boolean
}

/** One prompt with the better and the worse completion. */
export interface Pair {
  /** Line in the file, from 1. */
  readonly line: number
  readonly prompt: Content
  readonly chosen: Content
  readonly rejected: Content
  /** What the row is called in reports; null without a name. */
  readonly name: string | null
  /** How much it counts in a mean. @default 1 */
  readonly weight: number
}

/**
 * The rows `{prompt, chosen, rejected}` of a file (text or messages) or `{prompt_tokens, chosen_tokens, rejected_tokens}`,
 * one a line, blank lines skipped.
 *
 * @throws PAIRS_INVALID at the first bad line, with its `file:line`, unless `onInvalid` takes it; FILE_UNREADABLE
 */
export async function* readPairs(path: string, options: PairOptions = {}): AsyncGenerator<Pair> {
  const vocabSize = options.vocabSize ?? null
  yield* eachRow(path, options, ({ number, bytes }) => ({
    ...{ line: number, ...parsePair(bytes, vocabSize, options.named ?? false) },
  }))
}

const invalidPair: Fail = (place, message) => new BcodError('PAIRS_INVALID', message, { place })

function parsePair(bytes: Uint8Array, vocabSize: number | null, named: boolean): Omit<Pair, 'line'> {
  const row = parseRow(bytes)
  if (!isJsonObject(row)) throw invalidPair('$', `expected an object, got ${describe(row)}`)
  const side = (name: string) => readContent(row, name, `${name}_tokens`, '', vocabSize, invalidPair)
  const pair = {
    prompt: readPrompt(row, '', vocabSize, invalidPair),
    chosen: side('chosen'),
    rejected: side('rejected'),
    name: named ? readName(row.name) : null,
    weight: named ? readWeight(row.weight) : 1,
  }
  checkContinuation(pair.prompt, pair.chosen, 'chosen', invalidPair)
  checkContinuation(pair.prompt, pair.rejected, 'rejected', invalidPair)
  return pair
}

const MAX_NAME = 80

function readName(value: unknown): string | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && value.length > 0 && value.length <= MAX_NAME) return value
  throw invalidPair('name', `expected a text of at most ${MAX_NAME} characters, got ${describe(value)}`)
}

function readWeight(value: unknown): number {
  if (value === undefined || value === null) return 1
  if (typeof value === 'number' && value > 0) return value
  throw invalidPair('weight', `expected a number above 0, got ${describe(value)}`)
}

function parseRow(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes)
  } catch (error) {
    throw error instanceof BcodError ? new BcodError('PAIRS_INVALID', error.message) : error
  }
}
