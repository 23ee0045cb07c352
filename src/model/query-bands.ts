/** Queries `start` to `end` of a row, which see keys 0 to `end`. */
export interface QueryBand {
  readonly start: number
  readonly end: number
}

const MIN_BAND_WIDTH = 128
const MAX_BANDS = 4

/** Bands of equal width that cover a row: what lies after the end of a band is masked for all of it and not computed. */
export function queryBands(length: number): readonly QueryBand[] {
  const width = Math.max(MIN_BAND_WIDTH, Math.ceil(length / MAX_BANDS))
  const count = Math.ceil(length / width)
  return Array.from({ length: count }, (_, i) => ({ start: i * width, end: Math.min(length, (i + 1) * width) }))
}
