import { ERRORS } from '../errors.js'

/** What is known of the dead letters of one code. */
export interface DeadLetterRow {
  readonly code: string
  /** Where the last one was rejected. */
  readonly stage: string
  /** What the code means; null for one that is not in the list of errors. */
  readonly cause: string | null
  readonly count: number
  /** When the last one came, in seconds since 1970. */
  readonly last: number
}

/** Dead letters by their code. There are as many rows as codes at most, however many letters come. */
export class DeadLetterCounts {
  readonly #rows = new Map<string, DeadLetterRow>()

  add(code: string, stage: string, time: number): void {
    const count = (this.#rows.get(code)?.count ?? 0) + 1
    this.#rows.set(code, { code, stage, cause: causeOf(code), count, last: time })
  }

  counts(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#rows.values()].map(({ code, count }) => [code, count]))
  }

  /** The latest first. */
  rows(): readonly DeadLetterRow[] {
    return [...this.#rows.values()].sort((a, b) => b.last - a.last || b.count - a.count)
  }
}

const causeOf = (code: string): string | null => (code in ERRORS ? ERRORS[code as keyof typeof ERRORS].cause : null)
