import { History } from './history.js'
import { type LogLimit, LogLimiter } from './log-limit.js'
import type { Logger, LogLevel } from './logger.js'
import type { Metrics } from './metrics.js'
import { Tap } from './tap.js'
import type { TapLine } from './tap-line.js'

/** One log line. Fields are numbers, codes and positions; never a prompt, a completion or a user. */
export interface LogLine {
  readonly level: Exclude<LogLevel, 'silent'>
  readonly msg: string
  readonly [field: string]: unknown
}

/**
 * One thing that happened. It knows its log line and its metrics, so the code that emits it needs neither.
 * A subclass returns null from `log` if a line for each would be noise.
 */
export abstract class InternalEvent {
  abstract log(): LogLine | null
  /** How often its line may be written, for events that outside input can cause without bound. */
  limit(): LogLimit | null {
    return null
  }
  count(_metrics: Metrics): void {}
  /** Updates the history that the operator's page shows. */
  remember(_history: History): void {}
  /** Called only while `/v1/tap` has a watcher. */
  tap(): readonly TapLine[] {
    return []
  }
}

/** Sends internal events to the log, the metrics, the history and the watchers of `/v1/tap`. */
export class Telemetry {
  readonly tap = new Tap()
  readonly #limiter = new LogLimiter(({ kind, seconds }, lines) =>
    this.logger.warn({ event: 'LinesLeftOut', kind, lines, seconds }, 'log lines left out'),
  )

  constructor(
    readonly logger: Logger,
    readonly metrics: Metrics,
    readonly history = new History(),
  ) {}

  emit(event: InternalEvent): void {
    event.count(this.metrics)
    event.remember(this.history)
    if (this.tap.watched) for (const line of event.tap()) this.tap.push(line)
    const line = event.log()
    if (line === null) return
    const limit = event.limit()
    if (limit !== null && !this.#limiter.allows(limit)) return
    const { level, msg, ...fields } = line
    this.logger[level]({ event: event.constructor.name, ...fields }, msg)
  }
}
