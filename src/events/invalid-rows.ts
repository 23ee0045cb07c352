import { BcodError } from '../errors.js'
import { errorAtLine } from './jsonl.js'

/** A row of a file that cannot be used. */
export interface InvalidRow {
  /** In the file, from 1. */
  readonly line: number
  /** What is wrong with it; its place is within the row. */
  readonly error: BcodError
}

/** The rows of a file that cannot be used: the error of the first one, with its `file:line`, and all of them. */
export class InvalidRows extends BcodError {
  /** In file order; each error has its `file:line`. */
  readonly rows: readonly InvalidRow[]

  /**
   * @param rows  one at least
   * @param advice  what else to do about them
   */
  constructor(path: string, rows: readonly InvalidRow[], advice = '') {
    const sorted = [...rows].sort((a, b) => a.line - b.line)
    const placed = sorted.map(({ line, error }) => ({ line, error: errorAtLine(path, line, error) }))
    const { code, message, place, remedy } = (placed[0] as InvalidRow).error
    super(code, message, { place: place as string, remedy: advice === '' ? remedy : `${remedy} ${advice}` })
    this.rows = placed
  }
}
