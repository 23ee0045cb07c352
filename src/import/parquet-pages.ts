import type { AsyncBuffer, ColumnMetaData } from 'hyparquet'
import { parquetHeader } from 'hyparquet/src/column.js'

/**
 * Whether the pages of a column are as long as they say and have as many values as the column. The reader takes what it
 * finds there for granted, and may never end otherwise.
 *
 * @param maxBytes  unpacked
 * @throws what the reader throws for a header that is none
 */
export async function hasWholePages(file: AsyncBuffer, column: ColumnMetaData, maxBytes: number): Promise<boolean> {
  const start = Number(column.dictionary_page_offset || column.data_page_offset)
  const end = start + Number(column.total_compressed_size)
  if (!isCount(start) || !isCount(end) || end > file.byteLength) return false
  const view = new DataView(await file.slice(start, end))
  const reader = { view, offset: 0 }
  let [values, bytes] = [0, 0]
  while (reader.offset < view.byteLength) {
    const header = parquetHeader(reader)
    const page = header.dictionary_page_header ?? header.data_page_header ?? header.data_page_header_v2
    const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header
    if (page === undefined || ![packed, unpacked, page.num_values].every(isCount)) return false
    if (header.data_page_header_v2 && !hasLevels(header.data_page_header_v2, packed)) return false
    if (header.dictionary_page_header === undefined) values += page.num_values
    bytes += unpacked
    reader.offset += packed
  }
  return reader.offset === view.byteLength && values === Number(column.num_values) && bytes <= maxBytes
}

type PageV2 = NonNullable<ReturnType<typeof parquetHeader>['data_page_header_v2']>

function hasLevels(page: PageV2, packed: number): boolean {
  const { definition_levels_byte_length: definition, repetition_levels_byte_length: repetition } = page
  return [page.num_rows, page.num_nulls, definition, repetition].every(isCount) && definition + repetition <= packed
}

const isCount = (value: unknown): boolean => Number.isSafeInteger(value) && (value as number) >= 0
