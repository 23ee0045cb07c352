import { ARMS, type ArmName } from '../../adapters/registry/routing.js'
import type { CanaryReport } from '../../adapters/versions/canary-report.js'
import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap-line.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

/** A vote counts for an arm. */
export class ArmVoted extends InternalEvent {
  constructor(
    readonly arm: ArmName,
    readonly label: boolean,
  ) {
    super()
  }
  log(): null {
    return null
  }
  override count({ arms }: Metrics): void {
    arms.votes.inc({ arm: this.arm, label: this.label ? 'up' : 'down' })
  }
}

/** A vote counts for no arm. */
export class ArmUnmatched extends InternalEvent {
  constructor(readonly reason: 'version' | 'user' | 'arm') {
    super()
  }
  log(): null {
    return null
  }
  override count({ arms }: Metrics): void {
    arms.unmatched.inc({ reason: this.reason })
  }
}

/** What the votes say of each arm so far; what is not known is null. */
export class ArmsMeasured extends InternalEvent {
  constructor(
    readonly rates: Readonly<Record<ArmName, number | null>>,
    readonly uplift: { readonly value: number; readonly low: number; readonly high: number } | null,
  ) {
    super()
  }
  log(): null {
    return null
  }
  override count({ arms }: Metrics): void {
    for (const arm of ARMS) {
      const rate = this.rates[arm]
      if (rate === null) arms.upRatio.remove({ arm })
      else arms.upRatio.set({ arm }, rate)
    }
    const { uplift } = this
    if (uplift === null) for (const gauge of [arms.uplift, arms.upliftLow, arms.upliftHigh]) gauge.remove()
    else {
      arms.uplift.set(uplift.value)
      arms.upliftLow.set(uplift.low)
      arms.upliftHigh.set(uplift.high)
    }
  }
}

/** The votes show that a canary is not worse, and it waits for a person (`publish.mode=manual`). */
export class CanaryPassed extends InternalEvent {
  constructor(readonly report: CanaryReport) {
    super()
  }
  log(): LogLine {
    const { version, difference, low, high } = this.report
    return { level: 'info', msg: 'canary: passed, waits to be promoted', version, difference, low, high }
  }
}

/** The test of a canary has ended. */
export class CanaryEnded extends InternalEvent {
  constructor(readonly report: CanaryReport) {
    super()
  }
  log(): LogLine {
    const { version, outcome, difference, low, high, canary, live } = this.report
    const level = outcome === 'promoted' ? 'info' : 'warn'
    const [votes, ofLive] = [canary.votes, live.votes]
    return { level, msg: `canary: ${outcome}`, version, outcome, difference, low, high, votes, votesOfLive: ofLive }
  }
  override count({ arms }: Metrics): void {
    arms.canaries.inc({ outcome: this.report.outcome })
  }
  override tap(): readonly TapLine[] {
    const { version, outcome } = this.report
    return [{ kind: 'canary', version, outcome }]
  }
}
