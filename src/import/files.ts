import { DEFAULT_MAX_LINE_BYTES } from '../events/jsonl.js'
import { readChunks } from '../events/lines.js'
import { foreignFile } from '../files/foreign.js'
import { csvRows } from './csv-rows.js'
import { jsonRows, type Rows } from './rows.js'

/** What may hold the records of a format. */
export interface Layout {
  /** Names of lists in a document that is one object. */
  readonly lists: readonly string[]
  /** The product writes CSV too, and these are columns that it always has. */
  readonly csv?: readonly string[]
}

/**
 * The records of files, of JSON or CSV. None is ever in memory as a whole.
 *
 * @param maxBytes  of a record
 * @throws what `jsonRows` and `csvRows` throw
 */
export function fileRows(paths: readonly string[], { lists, csv }: Layout, maxBytes = DEFAULT_MAX_LINE_BYTES): Rows {
  return async function* () {
    for (const path of paths) {
      const isCsv = csv !== undefined && (await isTable(path))
      yield* isCsv ? csvRows(path, { columns: csv, maxBytes }) : jsonRows(path, { lists, maxBytes })
    }
  }
}

/** Whether a file is a table of texts: not JSON, and nothing that its first bytes tell. */
async function isTable(path: string): Promise<boolean> {
  for await (const chunk of readChunks(path)) {
    const first = chunk
      .toString('latin1', 0, 2 ** 12)
      .replace(/^\u00ef\u00bb\u00bf/, '')
      .trimStart()[0]
    return first !== undefined && !'{['.includes(first) && foreignFile(chunk) === null
  }
  return false
}
