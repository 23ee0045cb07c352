import type { Cause, Move } from '../../adapters/moves/move.js'
import { versionStep } from '../../adapters/versions/version.js'
import { VERSION_STATES } from '../../adapters/versions/version-record.js'
import { observeAll } from '../metrics/metric-set.js'
import { ROLLBACK_CAUSES } from '../metrics/storage.js'
import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap-line.js'
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

/**
 * An adapter was published, or was not. `held`: the registry is frozen or pinned, the version was rolled back, or another
 * canary is under test.
 */
export class AdapterPublished extends InternalEvent {
  constructor(
    readonly version: number,
    readonly outcome: 'published' | 'canary' | 'held' | 'rejected' | 'failed',
    /** From the time that each event counts as written at that is new in this version to now. */
    readonly feedbackToPublishSeconds: readonly number[] = [],
  ) {
    super()
  }
  log(): LogLine {
    const { version, outcome } = this
    const isBad = outcome === 'rejected' || outcome === 'failed'
    return { level: isBad ? 'warn' : 'info', msg: `adapter ${outcome}`, version }
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

/** Somebody has moved an alias of the registry, or has frozen, pinned or released it. */
export class AliasesMoved extends InternalEvent {
  constructor(readonly move: Move) {
    super()
  }
  log(): LogLine {
    const { generation, cause, by, aliases, pinned, frozen } = this.move
    const { live, previous, canary } = aliases
    const level = cause.endsWith('rolled back') ? 'warn' : by === 'daemon' ? 'debug' : 'info'
    return { level, msg: `adapters: ${cause}`, by, generation, live, previous, canary, pinned, frozen }
  }
  override count(metrics: Metrics): void {
    const { cause } = this.move
    if (isRollback(cause)) metrics.storage.rollbacks.inc({ cause: ROLLBACK_CAUSES[cause] })
  }
  override tap(): readonly TapLine[] {
    const { generation, cause, by, aliases } = this.move
    return [{ kind: 'adapters', generation, cause, by, live: aliases.live }]
  }
}

/** Learning goes on from an older version. */
export class LearningResumed extends InternalEvent {
  constructor(
    readonly resumed: {
      readonly version: string
      /** The number that the version's weights have from now on. */
      readonly step: number
      /** Votes that had trained since that version, and are no longer in the weights. */
      readonly abandonedVotes: number
    },
  ) {
    super()
  }
  log(): LogLine {
    const { version, step, abandonedVotes } = this.resumed
    return { level: 'warn', msg: 'learning goes on from an older version', version, step, abandonedVotes }
  }
  override count(metrics: Metrics): void {
    metrics.storage.abandonedVotes.inc(this.resumed.abandonedVotes)
  }
  override tap(): readonly TapLine[] {
    const { version, step, abandonedVotes } = this.resumed
    return [{ kind: 'resumed', version, step, abandoned_votes: abandonedVotes }]
  }
}

/** What the registry of adapters holds. */
export class RegistryObserved extends InternalEvent {
  constructor(readonly registry: Pick<Move, 'generation' | 'states' | 'aliases'>) {
    super()
  }
  log(): LogLine {
    const { generation, aliases } = this.registry
    return { level: 'debug', msg: 'adapter registry', generation, ...aliases }
  }
  override count(metrics: Metrics): void {
    const states = Object.values(this.registry.states)
    for (const state of VERSION_STATES)
      metrics.storage.adapterState.set({ state }, states.filter((each) => each === state).length)
    const { live } = this.registry.aliases
    if (live !== null) metrics.storage.adapterVersion.set(versionStep(live) as number)
  }
}

const isRollback = (cause: Cause): cause is keyof typeof ROLLBACK_CAUSES => Object.hasOwn(ROLLBACK_CAUSES, cause)
