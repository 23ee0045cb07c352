/** The size of a packed batch: whole sequences, one after the other, without padding between them. */
export interface PackedShape {
  /** N, room for tokens. */
  readonly tokens: number
  /** R, room for sequences. */
  readonly sequences: number
  /** B rows of T slots each, on which the attention runs. A sequence lies within one row. */
  readonly rows: number
  readonly length: number
}

export const shapeName = ({ tokens, sequences, rows, length }: PackedShape): string =>
  `${tokens}_${sequences}_${rows}x${length}`
