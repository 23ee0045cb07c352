/** The size of a packed batch: whole sequences, one after the other, without padding between them. */
export interface PackedShape {
  /** N, room for tokens. */
  readonly tokens: number
  /** R, room for sequences. */
  readonly sequences: number
  /** B rows of T slots each, on which the attention runs. A sequence lies within one row. One row has N slots. */
  readonly rows: number
  readonly length: number
  /** The longest sequence that a batch of this shape has; what is longer than that in a row is a tree of sequences. */
  readonly longest: number
  /** P, room for tokens whose keys and values are known and that all sequences continue; none if it is missing. */
  readonly beginning?: number
}

export const shapeName = ({ tokens, sequences, rows, length, beginning }: PackedShape): string =>
  `${tokens}_${sequences}_${rows}x${length}${beginning === undefined ? '' : `_behind_${beginning}`}`
