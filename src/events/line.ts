/** One row of a file of votes. */
export interface Line {
  /** From 1; in a file that is one JSON array, the number of the element. */
  readonly number: number
  /** Without its line end. */
  readonly bytes: Uint8Array
}
