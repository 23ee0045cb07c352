/** A condition for the daemon to be alive, or ready. */
export interface Check {
  readonly name: string
  readonly ok: boolean
  /** Why it does not hold. */
  readonly detail?: string
}

/** `{ ok, failing }` as /livez and /readyz answer it. */
export const verdict = (checks: readonly Check[]) => ({
  ok: checks.every((check) => check.ok),
  failing: checks.filter((check) => !check.ok).map(({ name, detail }) => ({ name, detail: detail ?? null })),
})

const PERIOD_MS = 250

/** Detects a blocked event loop, which would starve heartbeats and probes. */
export class EventLoopWatch {
  private readonly timer = setInterval(() => this.tick(), PERIOD_MS).unref()
  private lastTick = performance.now()
  private longestMs = 0

  constructor(readonly limitMs = 10_000) {}

  /** Fails if the loop was blocked for longer than the limit since the last call. */
  check(): Check {
    this.tick()
    const longestMs = Math.round(this.longestMs)
    this.longestMs = 0
    return longestMs <= this.limitMs
      ? { name: 'event_loop', ok: true }
      : { name: 'event_loop', ok: false, detail: `stood for ${longestMs} ms` }
  }

  close(): void {
    clearInterval(this.timer)
  }

  private tick(): void {
    const now = performance.now()
    this.longestMs = Math.max(this.longestMs, now - this.lastTick - PERIOD_MS)
    this.lastTick = now
  }
}
