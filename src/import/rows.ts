import { readFile, stat } from 'node:fs/promises'
import { BcodError } from '../errors.js'
import { isJsonObject, type JsonObject, parseJson } from '../events/json.js'
import { readChunks, readLines } from '../events/lines.js'
import { listElements } from '../events/list-elements.js'

/** One record of an export. */
export interface Row {
  /** `file:line`, or `file:element`; in a document of several lists with the list's name. */
  readonly place: string
  /** null if it is not a JSON object. */
  readonly value: JsonObject | null
  /** Why it is none, without its text. */
  readonly problem?: string
  /** The list of the document that it is from; null outside of such a document. */
  readonly list: string | null
}

/** The records of an export, from the first on each time that they are asked for. */
export type Rows = () => AsyncIterable<Row>

/** The records that a value of JSON holds: those of its lists, or itself. */
export function* unpacked(value: unknown, place: string, lists: readonly string[]): Generator<Row> {
  if (!isJsonObject(value)) return yield row(value, place, null)
  const held = lists.filter((name) => Array.isArray(value[name]))
  if (held.length === 0) return yield { place, value, list: null }
  for (const list of held) {
    for (const [i, each] of (value[list] as unknown[]).entries()) {
      yield row(each, `${place} ${list}[${i}]`, list)
    }
  }
}

const row = (value: unknown, place: string, list: string | null): Row =>
  isJsonObject(value) ? { place, value, list } : { place, value: null, problem: 'not an object', list }

export interface JsonOptions {
  /** Names of lists in a document that is one object; without one of them the object is a record itself. */
  readonly lists: readonly string[]
  /** Of a record. */
  readonly maxBytes: number
}

/**
 * The records of a file of JSON: lines, one array, or one object that holds lists of records.
 *
 * @throws FILE_UNREADABLE, FILE_FOREIGN; FEEDBACK_NOT_JSON for an array, or an object around lists, that is broken itself;
 *   FEEDBACK_TOO_LARGE for a longer record in them; as a line it is a broken row
 */
export async function* jsonRows(path: string, options: JsonOptions): AsyncGenerator<Row> {
  const { lists, maxBytes } = options
  if (await beginsDocument(path, maxBytes)) {
    const held = lists.length > 0 ? yield* listRows(path, options) : false
    if (held) return
    const { size } = await stat(path)
    const document = size > maxBytes ? null : parsed(await readFile(path))
    if (document !== null && 'value' in document) return yield* unpacked(document.value, path, lists)
  }
  const tooLong: Row[] = []
  const onTooLong = (line: number, { message }: BcodError) =>
    void tooLong.push({ place: `${path}:${line}`, value: null, problem: message, list: null })
  for await (const { bytes, number } of readLines(path, maxBytes, onTooLong)) {
    yield* tooLong.splice(0)
    const read = parsed(bytes)
    const place = `${path}:${number}`
    if ('value' in read) yield* unpacked(read.value, place, lists)
    else yield { place, value: null, list: null, ...read }
  }
  yield* tooLong
}

/** Whether a file is one object over several lines, or on one that is too long for a record. */
async function beginsDocument(path: string, maxBytes: number): Promise<boolean> {
  let isLong = false
  const onTooLong = () => {
    isLong = true
  }
  for await (const { bytes } of readLines(path, maxBytes, onTooLong)) {
    return isLong || ('problem' in parsed(bytes) && bytes.find((byte) => byte > 0x20) === OPENING_BRACE)
  }
  return isLong
}

/**
 * The records of a document's lists.
 *
 * @returns whether there were any; if it broke before the first, it may be lines whose first is broken
 */
async function* listRows(path: string, options: JsonOptions): AsyncGenerator<Row, boolean> {
  let held = false
  try {
    const elements = listElements(readChunks(path), path, options)
    for await (const { bytes, list, number } of elements) {
      held = true
      const read = parsed(bytes)
      const place = `${path} ${list}[${number - 1}]`
      yield 'value' in read ? row(read.value, place, list) : { place, value: null, list, ...read }
    }
  } catch (error) {
    if (held || !(error instanceof BcodError && error.code === 'FEEDBACK_NOT_JSON')) throw error
  }
  return held
}

const OPENING_BRACE = 0x7b

/** A value of JSON, or why it is none. */
function parsed(bytes: Uint8Array): { readonly value: unknown } | { readonly problem: string } {
  try {
    return { value: parseJson(bytes) }
  } catch (error) {
    if (error instanceof BcodError) return { problem: error.message }
    throw error
  }
}
