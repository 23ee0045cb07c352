import type { Move } from '../../adapters/moves/move.js'
import type { Registry } from '../../adapters/registry/registry.js'
import type { Routing } from '../../adapters/registry/routing.js'
import { knownResumable } from '../../checkpoint/resumable.js'

import { Failed } from '../../telemetry/events/daemon.js'
import { AliasesMoved, RegistryObserved } from '../../telemetry/events/storage.js'
import type { Telemetry } from '../../telemetry/telemetry.js'

export interface RegistryWatchParts {
  readonly registry: Registry
  readonly telemetry: Telemetry
  /** Directory of the checkpoints. */
  readonly checkpoints: string
  /** Told whether the registry is frozen whenever that may have changed. */
  readonly frozen: (isFrozen: boolean) => void
  /** Told what holds after each look that found a move. @default nobody is */
  readonly followed?: (move: Move, routing: Partial<Routing> | null) => void
}

/** Follows the moves of a registry, whoever makes them, and repairs what a killed process has left behind. */
export class RegistryWatch {
  #state: Move | null = null
  #routing: Partial<Routing> | null = null
  #resumable: readonly string[] | null = null
  #problem: string | null = null
  #last: Promise<void> = Promise.resolve()

  constructor(private readonly parts: RegistryWatchParts) {}

  /** What held at the last look; null before the first. */
  get state(): Move | null {
    return this.#state
  }

  /** What routers read; null before the first look. */
  get routing(): Partial<Routing> | null {
    return this.#routing
  }

  /** Which of `live` and `previous` learning could go on from; null if nobody knows. */
  get resumable(): readonly string[] | null {
    return this.#resumable
  }

  /** Looks once, after the look under way. A failure is reported once for each cause; the last state counts until then. */
  look(): Promise<void> {
    this.#last = this.#last.then(async () => {
      await this.#look()
      await this.#lookAtCheckpoints()
    })
    return this.#last
  }

  /** A checkpoint may go or be damaged without any move. */
  async #lookAtCheckpoints(): Promise<void> {
    const { live, previous } = this.#state?.aliases ?? {}
    const named = [live, previous].filter((version) => version != null)
    const resumable = await knownResumable(this.parts.checkpoints, named)
    this.#resumable = resumable && [...resumable]
  }

  async #look(): Promise<void> {
    const { registry, telemetry, followed } = this.parts
    try {
      const current = await registry.current()
      if (current.generation === this.#state?.generation && this.#problem === null) return
      // what was moved holds, though the disk may be too full to write what follows from it
      await this.#follow(current)
      const repaired = await registry.repair()
      await this.#follow(repaired)
      this.#routing = await registry.routing()
      this.#problem = null
      telemetry.emit(new RegistryObserved(repaired))
      followed?.(repaired, this.#routing)
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      if (problem !== this.#problem) telemetry.emit(new Failed(error, false))
      this.#problem = problem
    }
  }

  async #follow(move: Move): Promise<void> {
    const { registry, telemetry, frozen } = this.parts
    const known = this.#state
    if (known?.generation === move.generation) return
    const moves = known === null ? [] : await registry.movesAfter(known.generation)
    this.#state = move
    for (const each of moves.filter(({ generation }) => generation <= move.generation))
      telemetry.emit(new AliasesMoved(each))
    frozen(move.frozen)
  }
}
