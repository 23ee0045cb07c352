import { observeAll } from '../metrics/metric-set.js'
import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

/** A checkpoint is complete on disk. */
export class CheckpointWritten extends InternalEvent {
  constructor(
    readonly step: number,
    readonly durationMs: number,
    readonly freeBytes: number,
  ) {
    super()
  }
  log(): LogLine {
    const { step, durationMs, freeBytes } = this
    return { level: 'info', msg: 'checkpoint written', step, ms: durationMs, freeBytes }
  }
  override count(metrics: Metrics): void {
    metrics.storage.checkpointLastSuccess.setToCurrentTime()
    metrics.storage.checkpointDuration.observe(this.durationMs / 1000)
    metrics.storage.checkpointFreeBytes.set(this.freeBytes)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'checkpoint', step: this.step, ms: Math.round(this.durationMs) }]
  }
}

/** An adapter was published, or was not. */
export class AdapterPublished extends InternalEvent {
  constructor(
    readonly version: number,
    readonly outcome: 'published' | 'rejected' | 'failed',
    /** From the time that each event counts as written at that is new in this version to now. */
    readonly feedbackToPublishSeconds: readonly number[] = [],
  ) {
    super()
  }
  log(): LogLine {
    const { version, outcome } = this
    return { level: outcome === 'published' ? 'info' : 'warn', msg: `adapter ${outcome}`, version }
  }
  override count(metrics: Metrics): void {
    metrics.storage.adapterPublish.inc({ outcome: this.outcome })
    if (this.outcome !== 'published') return
    metrics.storage.adapterVersion.set(this.version)
    observeAll(metrics.storage.feedbackToPublish, this.feedbackToPublishSeconds)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'published', version: this.version, outcome: this.outcome }]
  }
}
