import { BcodError } from '../errors.js'
import { checkContinuation, readContent, readPrompt } from './content.js'
import { describe, type Fail } from './fields.js'
import { isJsonObject, parseJson } from './json.js'
import { atLine, DEFAULT_MAX_LINE_BYTES, type JsonlOptions } from './jsonl.js'
import { readLines } from './lines.js'
import type { Content } from './types.js'

/** One prompt with the better and the worse completion. */
export interface Pair {
  /** Line in the file, from 1. */
  readonly line: number
  readonly prompt: Content
  readonly chosen: Content
  readonly rejected: Content
}

/**
 * The rows `{prompt, chosen, rejected}` of a file (text or messages) or `{prompt_tokens, chosen_tokens, rejected_tokens}`,
 * one a line, blank lines skipped.
 *
 * @throws PAIRS_INVALID at the first bad line, with its `file:line`; FILE_UNREADABLE
 */
export async function* readPairs(path: string, options: JsonlOptions = {}): AsyncGenerator<Pair> {
  const vocabSize = options.vocabSize ?? null
  for await (const line of readLines(path, options.maxRecordBytes ?? DEFAULT_MAX_LINE_BYTES)) {
    yield atLine(path, line, () => ({ line: line.number, ...parsePair(line.bytes, vocabSize) }))
  }
}

const invalidPair: Fail = (place, message) => new BcodError('PAIRS_INVALID', message, { place })

function parsePair(bytes: Uint8Array, vocabSize: number | null): Omit<Pair, 'line'> {
  const row = parseRow(bytes)
  if (!isJsonObject(row)) throw invalidPair('$', `expected an object, got ${describe(row)}`)
  const side = (name: string) => readContent(row, name, `${name}_tokens`, '', vocabSize, invalidPair)
  const pair = {
    prompt: readPrompt(row, '', vocabSize, invalidPair),
    chosen: side('chosen'),
    rejected: side('rejected'),
  }
  checkContinuation(pair.prompt, pair.chosen, 'chosen', invalidPair)
  checkContinuation(pair.prompt, pair.rejected, 'rejected', invalidPair)
  return pair
}

function parseRow(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes)
  } catch (error) {
    throw error instanceof BcodError ? new BcodError('PAIRS_INVALID', error.message) : error
  }
}
