import { readdirSync } from 'node:fs'
import { removeBeside, writeBeside } from '../../checkpoint/beside.js'
import type { Config } from '../../config/config.js'
import { Failed } from '../../telemetry/events/daemon.js'
import { GUARDS, type GuardName, GuardTripped } from '../../telemetry/events/guards.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import type { TrainingPause } from '../training-pause.js'
import type { GuardMeasures } from './guard-measures.js'
import { GuardRules } from './guard-rules.js'

export interface GuardsParts {
  readonly config: Config['guard']
  /** Where a trip is kept: one file for each guard. The directory exists. */
  readonly directory: string
  readonly pause: TrainingPause
  readonly telemetry: Telemetry
}

/**
 * Pauses training if a step shows that it goes wrong. A trip is on disk, so a restart does not end it; a person does.
 * Guards look at steps and change none.
 */
export class Guards {
  #rules: GuardRules
  #tripped: GuardName | null = null

  constructor(private readonly parts: GuardsParts) {
    this.#rules = new GuardRules(parts.config)
  }

  /** The guard that has tripped and has not been resumed. */
  get tripped(): GuardName | null {
    return this.#tripped
  }

  /** Finds the trip of an earlier process. Before anything trains. */
  restore(): void {
    const files = new Set(readdirSync(this.parts.directory))
    const guard = GUARDS.find((name) => files.has(fileOf(name)))
    if (guard !== undefined) this.#set(guard, null)
  }

  /** Looks at an applied step. */
  applied(step: GuardMeasures): void {
    if (this.#tripped !== null) return
    const trip = this.#rules.observe(step)
    if (trip === null) return
    // paused even if the disk takes nothing
    this.#set(trip.guard, { step: step.step, value: trip.value })
    try {
      writeBeside(this.parts.directory, fileOf(trip.guard), { step: step.step, value: trip.value })
    } catch (error) {
      this.parts.telemetry.emit(new Failed(error, false))
    }
  }

  /**
   * A person lets training go on, or lets it go on from an older version. All windows start anew.
   * @throws if the disk does not forget the trip
   */
  resume(): void {
    const { directory, pause, telemetry } = this.parts
    const guard = this.#tripped
    this.#rules = new GuardRules(this.parts.config)
    if (guard === null) return
    removeBeside(directory, GUARDS.map(fileOf))
    this.#tripped = null
    telemetry.emit(new GuardTripped(guard, false, null))
    pause.set('guard', false)
  }

  #set(guard: GuardName, at: { readonly step: number; readonly value: number } | null): void {
    this.#tripped = guard
    this.parts.telemetry.emit(new GuardTripped(guard, true, at))
    this.parts.pause.set('guard', true)
  }
}

const fileOf = (guard: GuardName) => `guard-${guard}.json`
