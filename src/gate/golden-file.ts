import { BcodError } from '../errors.js'
import { readPrompt } from '../events/content.js'
import { describe, type Fail } from '../events/fields.js'
import { isJsonObject, type JsonObject, parseJson } from '../events/json.js'
import { atLine, DEFAULT_MAX_LINE_BYTES } from '../events/jsonl.js'
import { readLines } from '../events/lines.js'
import type { Content } from '../events/types.js'

/** A golden prompt with the rules for its greedy answer. */
export interface GoldenRow {
  /** Line in the file, from 1. */
  readonly line: number
  /** What reports call it; null without a name. */
  readonly name: string | null
  readonly prompt: Content
  /** Longest answer. */
  readonly maxTokens: number
  /** Least and most characters. */
  readonly length: readonly [min: number, max: number]
  /** Largest share of repeated runs of four tokens. */
  readonly repetition: number
  /** The Unicode script of its letters, such as `Latin`; null for any. */
  readonly script: string | null
  /** Whether it must end by itself. */
  readonly ends: boolean
}

const DEFAULTS = { maxTokens: 64, length: [1, Number.MAX_SAFE_INTEGER] as const, repetition: 0.5 }

/**
 * Rows `{prompt, name?, max_tokens?, length?, repetition?, script?, ends?}`.
 *
 * @param maxLength  of prompt and answer together, in tokens
 * @throws GATE_GOLDEN_INVALID with file:line, FILE_UNREADABLE
 */
export async function readGoldenRows(path: string, maxLength: number): Promise<readonly GoldenRow[]> {
  const rows: GoldenRow[] = []
  for await (const line of readLines(path, DEFAULT_MAX_LINE_BYTES))
    rows.push(atLine(path, line, () => ({ line: line.number, ...parseRow(line.bytes, maxLength) })))
  if (rows.length > 0) return rows
  throw new BcodError('GATE_GOLDEN_INVALID', 'expected at least one row', { place: path })
}

const invalid: Fail = (place, message) => new BcodError('GATE_GOLDEN_INVALID', message, { place })

function parseRow(bytes: Uint8Array, maxLength: number): Omit<GoldenRow, 'line'> {
  const row = parsed(bytes)
  const field = fieldsOf(row)
  const prompt = readPrompt(row, '', null, invalid)
  if (prompt.kind === 'tokens') throw invalid('prompt_tokens', 'expected text or messages: the answer is read as text')
  const name = field('name', 'a text of at most 80 characters', isName, null)
  const maxTokens = field('max_tokens', `an integer from 1 to ${maxLength - 1}`, isInteger(1, maxLength - 1), null)
  const length = field('length', '[least, most] characters', isRange, DEFAULTS.length)
  const repetition = field('repetition', 'a number from 0 to 1', isShare, DEFAULTS.repetition)
  const script = field('script', 'a Unicode script such as Latin or Cyrillic', isScript, null)
  const ends = field('ends', 'true or false', (value) => typeof value === 'boolean', false)
  return {
    ...{ prompt, name, length, repetition, script, ends },
    maxTokens: maxTokens ?? Math.min(DEFAULTS.maxTokens, maxLength - 1),
  }
}

function parsed(bytes: Uint8Array): JsonObject {
  try {
    const row = parseJson(bytes)
    if (isJsonObject(row)) return row
    throw invalid('$', `expected an object, got ${describe(row)}`)
  } catch (error) {
    throw error instanceof BcodError ? new BcodError('GATE_GOLDEN_INVALID', error.message) : error
  }
}

const FIELDS = [
  'prompt',
  'tools',
  'chat_template_kwargs',
  'name',
  'max_tokens',
  'length',
  'repetition',
  'script',
  'ends',
]

/** Reads fields of a row. A rule that is misspelt would never be checked, so an unknown field is an error. */
function fieldsOf(row: JsonObject) {
  const unknown = Object.keys(row).find((key) => !FIELDS.includes(key) && key !== 'prompt_tokens')
  if (unknown !== undefined) throw invalid('$', `expected no fields but ${FIELDS.join(', ')}`)
  return <T>(key: string, expected: string, accepts: (value: unknown) => value is T, absent: T | null): T => {
    const value = row[key]
    if (value === undefined || value === null) return absent as T
    if (accepts(value)) return value
    throw invalid(key, `expected ${expected}, got ${describe(value)}`)
  }
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== ''
const isName = (value: unknown): value is string => isText(value) && value.length <= 80
const isInteger =
  (min: number, max: number) =>
  (value: unknown): value is number =>
    Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max
const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1
const isRange = (value: unknown): value is readonly [number, number] =>
  Array.isArray(value) &&
  value.length === 2 &&
  value.every(isInteger(0, Number.MAX_SAFE_INTEGER)) &&
  Number(value[0]) <= Number(value[1])

function isScript(value: unknown): value is string {
  if (typeof value !== 'string' || !/^[A-Za-z_]+$/.test(value)) return false
  try {
    return new RegExp(`\\p{Script=${value}}`, 'u') !== null
  } catch {
    return false
  }
}
