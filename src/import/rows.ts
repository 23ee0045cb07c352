import { readFile, stat } from 'node:fs/promises'
import { BcodError } from '../errors.js'
import { isJsonObject, type JsonObject, parseJson } from '../events/json.js'
import { DEFAULT_MAX_LINE_BYTES } from '../events/jsonl.js'
import { readLines } from '../events/lines.js'

/** One record of an export. */
export interface Row {
  /** `file:line`, or `file:element`; in a document of several lists with the list's name. */
  readonly place: string
  /** null if it is not a JSON object. */
  readonly value: JsonObject | null
  /** The list of the document that it is from; null outside of such a document. */
  readonly list: string | null
}

/** The records of an export, from the first on each time that they are asked for. */
export type Rows = () => AsyncIterable<Row>

/** A document that is one object is read as a whole; V8 has no longer texts. */
const MAX_DOCUMENT_BYTES = 500 * 2 ** 20

/**
 * The records of files: JSON Lines or one JSON array, neither ever in memory as a whole, or one JSON object that holds
 * lists of records.
 *
 * @param lists  names of lists in such an object; without one of them the object is a record itself
 * @throws FILE_UNREADABLE, FILE_FOREIGN; FEEDBACK_TOO_LARGE for a record of over 64 MiB; FEEDBACK_NOT_JSON for an array
 *   that is broken itself
 */
export function fileRows(paths: readonly string[], lists: readonly string[]): Rows {
  return async function* () {
    for (const path of paths) yield* rowsOf(path, lists)
  }
}

/** The records that a value of JSON holds: those of its lists, or itself. */
export function* unpacked(value: unknown, place: string, lists: readonly string[]): Generator<Row> {
  if (!isJsonObject(value)) return yield { place, value: null, list: null }
  const held = lists.filter((name) => Array.isArray(value[name]))
  if (held.length === 0) return yield { place, value, list: null }
  for (const list of held) {
    for (const [i, each] of (value[list] as unknown[]).entries()) {
      yield { place: `${place} ${list}[${i}]`, value: isJsonObject(each) ? each : null, list }
    }
  }
}

async function* rowsOf(path: string, lists: readonly string[]): AsyncGenerator<Row> {
  const document = await wholeDocument(path)
  if (document !== undefined) return yield* unpacked(document, path, lists)
  for await (const { bytes, number } of readLines(path, DEFAULT_MAX_LINE_BYTES)) {
    yield* unpacked(parsed(bytes), `${path}:${number}`, lists)
  }
}

/** What a file holds that is one object over several lines; undefined for any other. */
async function wholeDocument(path: string): Promise<unknown> {
  for await (const { bytes } of readLines(path, DEFAULT_MAX_LINE_BYTES)) {
    if (parsed(bytes) !== undefined || bytes.find((byte) => byte > 0x20) !== OPENING_BRACE) return undefined
    break
  }
  const size = (await stat(path)).size
  return size > MAX_DOCUMENT_BYTES ? undefined : parsed(await readFile(path))
}

const OPENING_BRACE = 0x7b

/** undefined if it is not JSON. */
function parsed(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes)
  } catch (error) {
    if (error instanceof BcodError) return undefined
    throw error
  }
}
