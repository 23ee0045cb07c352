import { BcodError } from '../../errors.js'
import type { Metrics } from '../metrics.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

/** A model server was asked whether it serves the live version. */
export class ServerLookedAt extends InternalEvent {
  constructor(
    /** Host and port. */
    readonly target: string,
    /** The step of the newest wanted version that it has loaded; null if none, or if it does not answer. */
    readonly version: number | null,
    /** What is wrong; null if nothing is, or not any more. */
    readonly problem: unknown,
    /** What was wrong before and is mended now. */
    readonly mended: BcodError | null,
    /** Whether the look before this one found something else. */
    readonly isNews: boolean,
  ) {
    super()
  }
  log(): LogLine | null {
    const { target, version, problem, mended } = this
    if (!this.isNews) return null
    if (problem instanceof BcodError) {
      const { code, message, remedy } = problem
      return { level: 'error', msg: `server: ${message}`, target, version, code, remedy }
    }
    if (problem !== null) return { level: 'error', msg: 'server: unexpected error', target, version, code: 'INTERNAL' }
    if (mended !== null)
      return { level: 'warn', msg: `server mended: ${mended.message}`, target, version, code: mended.code }
    return { level: 'info', msg: 'server serves the live version', target, version }
  }
  override count({ serving }: Metrics): void {
    const { target, version } = this
    if (version === null) serving.servedVersion.remove({ target })
    else serving.servedVersion.set({ target }, version)
    serving.mismatch.set({ target }, this.problem === null ? 0 : 1)
  }
}

/** A model server is no longer among the targets. */
export class ServerGone extends InternalEvent {
  constructor(readonly target: string) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: 'server gone', target: this.target }
  }
  override count({ serving }: Metrics): void {
    serving.servedVersion.remove({ target: this.target })
    serving.mismatch.remove({ target: this.target })
  }
}
