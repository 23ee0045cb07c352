/** What the port turns away: a Host that is not its own, a wrong token, one too many watchers or connections, and what the system could not accept. */
export const REFUSALS = ['host', 'token', 'watcher', 'connection', 'accept'] as const
export type Refusal = (typeof REFUSALS)[number]

/** One refusal, and what a log line may say of it: how many there were since the last line of the kind. */
export interface RefusalReport {
  readonly reason: Refusal
  /** Whose; null where it is not known. */
  readonly address: string | null
  /** Refusals since the last one that was to be logged, this one included; null where this one is not to be logged. */
  readonly sinceLogged: number | null
}

const LOGGED_EVERY_MS = 10_000

/** Reports each refusal, and marks at most one of a kind in ten seconds for the log: who knocks often fills no disk. */
export class Refusals {
  readonly #logged = new Map<Refusal, { at: number; since: number }>()

  constructor(private readonly report: (refusal: RefusalReport) => void) {}

  add(reason: Refusal, address: string | null): void {
    const kept = this.#logged.get(reason) ?? { at: -Infinity, since: 0 }
    const since = kept.since + 1
    const due = performance.now() - kept.at >= LOGGED_EVERY_MS
    this.#logged.set(reason, due ? { at: performance.now(), since: 0 } : { at: kept.at, since })
    this.report({ reason, address, sinceLogged: due ? since : null })
  }
}
