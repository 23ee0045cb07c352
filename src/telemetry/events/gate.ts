import type { CheckResult, GateReport } from '../../adapters/versions/gate-report.js'
import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap-line.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

/** What a check can say. */
const OUTCOMES = ['passed', 'refused', 'skipped', 'error']

/** The gate is ready. Its counters start at 0, so that an alert sees the first refusal. */
export class GateOpened extends InternalEvent {
  constructor(readonly checks: readonly string[]) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: 'gate', checks: this.checks }
  }
  override count(metrics: Metrics): void {
    for (const check of this.checks)
      for (const outcome of OUTCOMES) metrics.storage.gateChecks.inc({ check, outcome }, 0)
  }
}

/** A check of the gate has ended. Its detail stays in the report: a hook may have written anything into it. */
export class GateChecked extends InternalEvent {
  constructor(
    readonly version: string,
    readonly check: Omit<CheckResult, 'reference' | 'detail'>,
  ) {
    super()
  }
  log(): LogLine {
    const { name, outcome, value, low, high, bound } = this.check
    const level = outcome === 'passed' || outcome === 'skipped' ? 'debug' : 'warn'
    return { level, msg: `gate check ${outcome}`, version: this.version, check: name, value, low, high, bound }
  }
  override count(metrics: Metrics): void {
    const { name: check, outcome } = this.check
    metrics.storage.gateChecks.inc({ check, outcome })
  }
}

/** A version has been gated. */
export class VersionGated extends InternalEvent {
  constructor(readonly report: Pick<GateReport, 'version' | 'outcome' | 'seconds'>) {
    super()
  }
  log(): LogLine {
    const { version, outcome, seconds } = this.report
    return { level: outcome === 'passed' ? 'info' : 'warn', msg: `gate: ${outcome}`, version, outcome, seconds }
  }
  override count(metrics: Metrics): void {
    metrics.storage.gateDuration.observe(this.report.seconds)
  }
  override tap(): readonly TapLine[] {
    const { version, outcome } = this.report
    return [{ kind: 'gate', version, outcome }]
  }
}
