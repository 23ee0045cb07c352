/** A block of whole sequences, packed one after the other. */
export interface BlockShape {
  /** N, room for positions. */
  readonly tokens: number
  /** R, room for sequences. */
  readonly events: number
  /** Rows and columns of the grid that the attention runs on. A sequence lies within one row. */
  readonly rows: number
  readonly length: number
}

export const shapeName = ({ tokens, events, rows, length }: BlockShape): string =>
  `${tokens}_${events}_${rows}x${length}`
