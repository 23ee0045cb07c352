/**
 * Every error that bcod can show, in one list: what it means and what to do. `docs/errors.md` is generated from it.
 * A code is stable: alerts, dead letters and scripts match on it.
 */
export const ERRORS = {
  INTERNAL: {
    cause: 'A rule that the code relies on did not hold.',
    remedy: 'Report it with the log lines around it; the last checkpoint is intact.',
  },
  USAGE: { cause: 'The command line was not understood.', remedy: 'Run the command with --help.' },
} as const satisfies Record<string, { cause: string; remedy: string }>

export type ErrorCode = keyof typeof ERRORS

export interface ErrorDetails {
  /** Where it happened: a config key, a file, a JSON path, topic-partition-offset. Never user text. */
  readonly place?: string
  readonly cause?: unknown
  /** Replaces the general remedy of the code where a more exact one is known. */
  readonly remedy?: string
}

/** An error with a stable code, the place where it happened and what to do next. */
export class BcodError extends Error {
  override readonly name = 'BcodError'
  readonly place: string | undefined
  readonly remedy: string

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: ErrorDetails = {},
  ) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.place = details.place
    this.remedy = details.remedy ?? ERRORS[code].remedy
  }

  /** `CODE place: message`, on one line. */
  get line(): string {
    return `${this.code}${this.place ? ` ${this.place}` : ''}: ${this.message}`
  }
}

/** An error that the command line answers with exit code 2. */
export const isUsageError = (error: unknown): boolean =>
  error instanceof BcodError && (error.code === 'USAGE' || error.code.startsWith('CONFIG_'))
