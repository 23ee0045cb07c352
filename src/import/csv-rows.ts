import { pipeline, Readable } from 'node:stream'
import { CsvError, parse } from 'csv-parse'
import { BcodError } from '../errors.js'
import { readChunks } from '../events/lines.js'
import type { Row } from './rows.js'

export interface CsvOptions {
  /** Columns without which it is no such export. */
  readonly columns: readonly string[]
  /** Of a record. */
  readonly maxBytes: number
}

/**
 * The records of a CSV file (RFC 4180, lines that end in LF, CRLF or CR), each as an object of texts by the names in its
 * first line. A place is the line on which a record begins.
 *
 * @throws IMPORT_FILE_INVALID if a column is missing or quotes are broken, because what follows cannot be found then;
 *   FEEDBACK_TOO_LARGE, FILE_UNREADABLE
 */
export async function* csvRows(path: string, options: CsvOptions): AsyncGenerator<Row> {
  const table = new Table(path, options.columns)
  const parser = parse({
    // bytes as Latin-1, so that the limit counts bytes, and broken UTF-8 is seen and not mended
    encoding: 'latin1',
    skip_empty_lines: true,
    relax_column_count: true,
    max_record_size: options.maxBytes,
    // as its types have it, a record stays an array of texts
    on_record: (record, { empty_lines: empty }) => table.rowOf(record, empty) as never,
  })
  pipeline(Readable.from(withoutMark(readChunks(path))), parser, () => {})
  try {
    for await (const row of parser as AsyncIterable<Row>) yield row
  } catch (error) {
    if (!(error instanceof CsvError)) throw error
    throw broken(error, table.placeOf(Number(error.empty_lines)), options.maxBytes)
  }
}

/** Makes rows of records, and knows the line of the one that comes next. */
class Table {
  #header: readonly string[] | null = null
  /** Where the next record begins, not counting empty lines: the parser counts a CRLF within quotes twice. */
  #line = 1

  constructor(
    private readonly path: string,
    private readonly columns: readonly string[],
  ) {}

  /** @param empty  lines so far */
  placeOf(empty: number): string {
    return `${this.path}:${this.#line + empty}`
  }

  /** null for the first record. @throws IMPORT_FILE_INVALID */
  rowOf(record: readonly string[], empty: number): Row | null {
    const place = this.placeOf(empty)
    this.#line += 1 + record.reduce((sum, field) => sum + lineBreaks(field), 0)
    if (this.#header !== null) return rowOf(record, this.#header, place)
    this.#header = headerOf(record, this.columns, place)
    return null
  }
}

function headerOf(record: readonly string[], columns: readonly string[], place: string): readonly string[] {
  const header = record.map((name) => decoded(name) ?? '')
  const missing = columns.filter((column) => !header.includes(column))
  if (missing.length > 0)
    throw new BcodError('IMPORT_FILE_INVALID', `its first line names no column ${missing.join(', ')}`, { place })
  return header
}

function rowOf(record: readonly string[], header: readonly string[], place: string): Row {
  const bad = (problem: string): Row => ({ place, value: null, problem, list: null })
  if (record.length !== header.length) return bad(`expected ${header.length} fields, found ${record.length}`)
  const fields = record.map(decoded)
  if (fields.includes(null)) return bad(`not UTF-8 in field ${fields.indexOf(null) + 1}`)
  return { place, value: Object.fromEntries(header.map((name, i) => [name, fields[i]])), list: null }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A field of bytes as text; null if it is not UTF-8. */
function decoded(field: string): string | null {
  try {
    return utf8.decode(Buffer.from(field, 'latin1'))
  } catch {
    return null
  }
}

const lineBreaks = (field: string): number => field.split('\n').length - 1

/** The parser's error without the text that it shows. */
function broken({ code }: CsvError, place: string, maxBytes: number): BcodError {
  if (code === 'CSV_MAX_RECORD_SIZE') return new BcodError('FEEDBACK_TOO_LARGE', `over ${maxBytes} bytes`, { place })
  const what = code === 'CSV_QUOTE_NOT_CLOSED' ? 'a quote is not closed' : 'a quote is not where one may be'
  return new BcodError('IMPORT_FILE_INVALID', `the record that begins here is broken: ${what}`, { place })
}

async function* withoutMark(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let isFirst = true
  for await (const chunk of chunks) {
    yield isFirst && chunk.subarray(0, MARK.length).equals(MARK) ? chunk.subarray(MARK.length) : chunk
    isFirst = false
  }
}

const MARK = Buffer.from([0xef, 0xbb, 0xbf])
