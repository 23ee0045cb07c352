import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap-line.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

/** What can pause training by itself; the values of the label `guard`. */
export const GUARDS = ['kl', 'margin', 'delta', 'up_rate'] as const
export type GuardName = (typeof GUARDS)[number]

/** A guard has paused training, or a person has resumed it. */
export class GuardTripped extends InternalEvent {
  /** @param at  the step and the mean that tripped it; null at a restart and at the end */
  constructor(
    readonly guard: GuardName,
    readonly tripped: boolean,
    readonly at: { readonly step: number; readonly value: number } | null,
  ) {
    super()
  }
  log(): LogLine {
    const { guard, tripped, at } = this
    if (!tripped) return { level: 'info', msg: 'guard reset', guard }
    const remedy = 'see BcodGuardTripped in the runbook; POST /v1/admin/resume lets training go on'
    return { level: 'error', msg: 'guard tripped: training pauses', guard, ...at, remedy }
  }
  override count(metrics: Metrics): void {
    metrics.training.guardTripped.set({ guard: this.guard }, this.tripped ? 1 : 0)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'guard', guard: this.guard, tripped: this.tripped, ...this.at }]
  }
}
