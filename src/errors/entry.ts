/** What one error means and what to do. */
export interface ErrorEntry {
  readonly cause: string
  readonly remedy: string
  /** The daemon ends with it, also where it goes on after any other failure, such as that of one checkpoint. */
  readonly fatal?: true
  /** The same call may succeed later, without anybody's help: it is tried again. */
  readonly retryable?: true
}

/** The errors of one area by their codes. */
export type ErrorTable = Readonly<Record<string, ErrorEntry>>
