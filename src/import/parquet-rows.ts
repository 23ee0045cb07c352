import { isDeepStrictEqual } from 'node:util'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { decompress } from 'fzstd'
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type Compressors,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
  type RowGroup,
  type SchemaTree,
} from 'hyparquet'
import { BcodError } from '../errors.js'
import type { JsonObject } from '../events/json.js'
import { hasWholePages } from './parquet-pages.js'
import type { Row } from './rows.js'

/** How a Parquet file begins. */
export const PARQUET_MAGIC = 'PAR1'

/** The most of a row group, which is in memory as a whole. `pyarrow` writes 1,048,576 rows, `datasets` 1,000. */
const MAX_GROUP_BYTES = 2 ** 29
const MAX_GROUP_ROWS = 2 ** 22

/**
 * The rows of a Parquet file, one row group in memory at a time, as they would be in JSON: numbers that are too large for
 * it and times are texts, bytes that are no text are null. A place is the number of a row.
 *
 * @throws IMPORT_FILE_INVALID if the file is broken, its row groups are too large, or it is packed in another way;
 *   FILE_UNREADABLE
 */
export async function* parquetRows(path: string): AsyncGenerator<Row> {
  let number = 0
  for await (const group of groupsOf(path)) {
    for (const record of group) yield { place: `${path}:${++number}`, value: asJson(record) as JsonObject, list: null }
  }
}

async function* groupsOf(path: string): AsyncGenerator<readonly unknown[]> {
  try {
    const file = await asyncBufferFromFile(path)
    const metadata = await parquetMetadataAsync(file, { parsers: PARSERS, geoparquet: false })
    const leaves = leavesOf(parquetSchema(metadata))
    for (const [i, group] of metadata.row_groups.entries()) {
      const place = `${path} row group ${i + 1}`
      if (!isDeepStrictEqual(group.columns.map(pathOf), leaves)) throw broken(place)
      await checkGroup(file, group, place)
      yield await rowsOf(file, metadata, i)
    }
  } catch (error) {
    throw error instanceof BcodError ? error : unreadable(error, path)
  }
}

/** The rows of one group. It is read as a file that has this group alone: the reader counts rows over all of them. */
const rowsOf = (file: AsyncBuffer, metadata: FileMetaData, i: number) =>
  parquetReadObjects({
    ...{ file, compressors: COMPRESSORS, parsers: PARSERS, geoparquet: false },
    metadata: { ...metadata, row_groups: metadata.row_groups.slice(i, i + 1) },
  })

const pathOf = ({ meta_data: column }: RowGroup['columns'][number]) => column?.path_in_schema

/** The columns of a schema. A group with others would leave the reader with promises that nobody awaits. */
const leavesOf = ({ children, path }: SchemaTree): readonly (readonly string[])[] =>
  children.length === 0 ? [path] : children.flatMap(leavesOf)

/** @throws IMPORT_FILE_INVALID */
async function checkGroup(file: AsyncBuffer, { columns, num_rows: rows }: RowGroup, place: string): Promise<void> {
  const metas = columns.map(({ meta_data: column }) => column)
  const bytes = metas.reduce((sum, column) => sum + Number(column?.total_uncompressed_size ?? 0), 0)
  if (bytes > MAX_GROUP_BYTES || rows > MAX_GROUP_ROWS)
    throw new BcodError('IMPORT_FILE_INVALID', `has ${bytes} bytes in ${rows} rows, too many to read at once`, {
      place,
      remedy:
        'Write the file again in smaller row groups: `datasets.load_dataset(…).to_parquet(FILE, batch_size=1000)`.',
    })
  for (const column of metas) {
    const isWhole = column && column.num_values >= rows && (await hasWholePages(file, column, MAX_GROUP_BYTES))
    if (!isWhole) throw broken(place)
  }
}

const broken = (place: string) => new BcodError('IMPORT_FILE_INVALID', 'is a broken Parquet file', { place })

/** What the reader throws, without what it shows of the file. */
function unreadable(error: unknown, place: string): BcodError {
  const { code, message } = error as NodeJS.ErrnoException
  if (typeof code === 'string' && /^E[A-Z]+$/.test(code))
    return new BcodError('FILE_UNREADABLE', `cannot be read (${code})`, { place, cause: error })
  const codec = /unsupported compression codec: ([A-Z0-9_]+)/.exec(message)?.[1]
  if (codec === undefined) return broken(place)
  return new BcodError('IMPORT_FILE_INVALID', `is packed with ${codec}, which is not read`, {
    place,
    remedy: 'Write the file again with `compression="snappy"`; gzip, zstd, brotli and none are read too.',
  })
}

const COMPRESSORS: Compressors = {
  GZIP: (bytes, length) => gunzipSync(bytes, atMost(length)),
  BROTLI: (bytes, length) => brotliDecompressSync(bytes, atMost(length)),
  ZSTD: (bytes, length) => decompress(bytes, new Uint8Array(length)),
}

/** Node refuses 0, which pages without values have. */
const atMost = (length: number) => ({ maxOutputLength: Math.max(length, 1) })

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A text; null if the bytes are none. */
function textOf(bytes: Uint8Array | undefined): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

const PARSERS = { stringFromBytes: textOf, jsonFromBytes: textOf }

/** A value as it would be in JSON. */
function asJson(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value) || value === undefined) return null
  if (Array.isArray(value)) return value.map(asJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, asJson(held)]))
}
