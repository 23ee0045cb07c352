/** How often lines of one kind may be written. Lines that each record or request can cause must not fill the disk. */
export interface LogLimit {
  /** One of a fixed set; each is counted separately. */
  readonly kind: string
  readonly lines: number
  readonly seconds: number
}

/**
 * Lets the first lines of a kind through, and reports at the end of the period how many it suppressed.
 *
 *     const limiter = new LogLimiter(({ kind, seconds }, left) => logger.warn({ kind, seconds, lines: left }, 'log lines left out'))
 */
export class LogLimiter {
  readonly #windows = new Map<string, { written: number; leftOut: number }>()

  constructor(private readonly report: (limit: LogLimit, leftOut: number) => void) {}

  /** Whether one more line may be written. */
  allows(limit: LogLimit): boolean {
    const window = this.#windows.get(limit.kind) ?? this.#open(limit)
    if (window.written >= limit.lines) {
      window.leftOut += 1
      return false
    }
    window.written += 1
    return true
  }

  #open(limit: LogLimit): { written: number; leftOut: number } {
    const window = { written: 0, leftOut: 0 }
    this.#windows.set(limit.kind, window)
    setTimeout(() => {
      this.#windows.delete(limit.kind)
      if (window.leftOut > 0) this.report(limit, window.leftOut)
    }, 1000 * limit.seconds).unref()
    return window
  }
}
