import { DEFAULT_MAX_LINE_BYTES } from '../events/jsonl.js'
import { readChunks } from '../events/lines.js'
import { foreignFile } from '../files/foreign.js'
import { csvRows } from './csv-rows.js'
import { PARQUET_MAGIC, parquetRows } from './parquet-rows.js'
import { jsonRows, type Row, type Rows } from './rows.js'

/** What may hold the records of a format. */
export interface Layout {
  /** Names of lists in a document that is one object. */
  readonly lists: readonly string[]
  /** The product writes CSV too, and these are columns that it always has. */
  readonly csv?: readonly string[]
  /** Such records are also in Parquet files. */
  readonly parquet?: true
}

/**
 * The records of files, of JSON, CSV or Parquet. None is ever in memory as a whole.
 *
 * @param maxBytes  of a record of JSON or CSV
 * @throws what `jsonRows`, `csvRows` and `parquetRows` throw
 */
export function fileRows(paths: readonly string[], layout: Layout, maxBytes = DEFAULT_MAX_LINE_BYTES): Rows {
  return async function* () {
    for (const path of paths) yield* rowsOf(path, layout, maxBytes)
  }
}

async function* rowsOf(path: string, { lists, csv, parquet }: Layout, maxBytes: number): AsyncGenerator<Row> {
  const head = await headOf(path)
  if (parquet && head.startsWith(PARQUET_MAGIC)) yield* parquetRows(path)
  else if (csv !== undefined && isTable(head)) yield* csvRows(path, { columns: csv, maxBytes })
  else yield* jsonRows(path, { lists, maxBytes })
}

/** The first bytes of a file, in Latin-1. */
async function headOf(path: string): Promise<string> {
  for await (const chunk of readChunks(path)) return chunk.toString('latin1', 0, HEAD_BYTES)
  return ''
}

const HEAD_BYTES = 2 ** 12

/** Whether a file is a table of texts: not JSON, and nothing that its first bytes tell. */
function isTable(head: string): boolean {
  const first = head.replace(/^\u00ef\u00bb\u00bf/, '').trimStart()[0]
  return first !== undefined && !'{['.includes(first) && foreignFile(Buffer.from(head, 'latin1')) === null
}
