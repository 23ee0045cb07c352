import { BcodError } from '../../errors.js'
import type { Cause, Change, Move } from '../moves/move.js'
import type { MoveLog } from '../moves/move-log.js'
import { repair } from './derived.js'
import type { RegistryReader } from './registry-reader.js'

export interface MoverOptions {
  /** Who moves, as the log of moves has it: `daemon`, `admin`, `cli`. */
  readonly by: string
  /** Called after each stage has taken effect; a fault test kills the process there. */
  readonly onStage?: (stage: string) => void
  /** @default now */
  readonly now?: () => Date
  /** Servers know a version as `<name>-v00001234`. @default as `routing.json` has it, and `bcod` without one */
  readonly name?: string
  /** Has every server load a version that is about to go live; if it throws, nothing moves. @default none has to */
  readonly serve?: (version: string, cause: Cause) => Promise<void>
  /** Takes a version that was served away again if it does not go live after all. @default it stays loaded */
  readonly withdraw?: (version: string) => Promise<void>
}

/** What a caller expects of the registry; if it no longer holds, nothing moves (`ADAPTER_MOVED`). */
export interface Expectation {
  /** The newest move that the caller knows of. */
  readonly generation?: number
}

/**
 * Makes the moves of a registry, each after the one before it, and has links, states and `routing.json` follow.
 *
 * Every method throws ADAPTER_DISK_FULL, ADAPTER_IO and ADAPTER_LOG_DAMAGED.
 */
export class Mover {
  /** The move that this process has last found, or made, everything to follow. */
  #followed: Move | null = null

  constructor(
    private readonly registry: Pick<RegistryReader, 'files' | 'current'>,
    private readonly log: MoveLog,
    private readonly options: MoverOptions,
  ) {}

  /** Brings what follows from the log up to it, and says what holds. A registry without moves stays as it is. */
  async repair(): Promise<Move> {
    const { files } = this.registry
    for (let current = await this.registry.current(); ; ) {
      if (current.generation > 0) {
        const before = this.#followed
        // of one move later only what it has changed can be behind
        const isNext = before !== null && [0, 1].includes(current.generation - before.generation)
        const known = { known: isNext ? before : null, name: this.options.name ?? null }
        await repair(files, current, known, (stage) => this.stage(stage))
        this.#followed = current
      }
      // whoever was slower than another one's move has written what held before it
      const newest = await this.registry.current()
      if (newest.generation === current.generation) return newest
      current = newest
    }
  }

  /**
   * @param change  from what holds now; asked again if somebody else has moved meanwhile
   * @throws ADAPTER_MOVED
   */
  async move(cause: Cause, change: (current: Move) => Change, expected: Expectation = {}): Promise<Move> {
    for (;;) {
      const current = await this.registry.current()
      requireGeneration(expected, current)
      const changed = change(current)
      if (changed === null) return this.repair()
      const { by } = this.options
      const next = { ...current, ...changed, generation: current.generation + 1, time: this.now(), by, cause }
      const written = () => this.stage(`move ${cause} written`)
      if (!(await this.log.append(next, written))) continue
      this.stage(`move ${cause} made`)
      await this.repair()
      return next
    }
  }

  /**
   * Moves `live` once every server has the version. Whoever was overtaken while servers loaded it does not move.
   *
   * @throws ADAPTER_MOVED
   */
  async moveServed(
    version: string,
    cause: Cause,
    expected: Expectation,
    change: (current: Move) => Change,
  ): Promise<Move> {
    const { serve, withdraw } = this.options
    if (serve === undefined) return this.move(cause, change, expected)
    const seen = await this.registry.current()
    requireGeneration(expected, seen)
    await serve(version, cause)
    try {
      return await this.move(
        cause,
        (current) => {
          const { live } = current.aliases
          if (live === seen.aliases.live || live === version) return change(current)
          const message = `${live} became live while servers loaded ${version}`
          throw new BcodError('ADAPTER_MOVED', message, { place: this.registry.files.place })
        },
        expected,
      )
    } catch (error) {
      await withdraw?.(version)
      throw error
    }
  }

  /** RFC 3339. */
  now(): string {
    return (this.options.now?.() ?? new Date()).toISOString()
  }

  stage(stage: string): void {
    this.options.onStage?.(stage)
  }
}

function requireGeneration({ generation }: Expectation, { generation: newest, by, cause }: Move): void {
  if (generation === undefined || generation === newest) return
  throw new BcodError('ADAPTER_MOVED', `generation ${generation} was expected, it is ${newest} (${cause} by ${by})`)
}
