import { BcodError } from '../../errors.js'
import type { RegistryFiles } from '../storage/registry-files.js'
import { versionStep } from '../versions/version.js'
import { VERSION_STATES } from '../versions/version-record.js'
import { ALIASES, CAUSES, type Move } from './move.js'

const FOLDER = 'moves'
/** Half a day of versions, one each minute, and more than anybody can be behind. */
const KEPT = 2000

/**
 * The moves of a registry, `moves/00000042.json`. Each is created once, by one writer, after the one before it: that is
 * the compare and the swap. The newest is the truth.
 */
export class MoveLog {
  constructor(private readonly files: RegistryFiles) {}

  /** The newest move; null before the first. @throws ADAPTER_LOG_DAMAGED, ADAPTER_IO */
  async newest(): Promise<Move | null> {
    for (;;) {
      const generation = (await this.#generations()).at(-1)
      if (generation === undefined) return null
      const move = await this.read(generation)
      if (move !== null) return move
    }
  }

  /** One move; null if it is not there, or no longer. @throws ADAPTER_LOG_DAMAGED, ADAPTER_IO */
  async read(generation: number): Promise<Move | null> {
    const text = await this.files.read(pathOf(generation))
    if (text === null) return null
    const move = parsed(text)
    if (move?.generation === generation) return move
    throw new BcodError('ADAPTER_LOG_DAMAGED', 'is no whole entry of the log', { place: pathOf(generation) })
  }

  /**
   * Makes a move, unless another one has been made since the one before it.
   *
   * @param written  called once the entry is durable, and nobody can see it yet
   * @throws ADAPTER_DISK_FULL, ADAPTER_IO
   */
  async append(move: Move, written?: () => void): Promise<boolean> {
    const { generation } = move
    if (!(await this.files.create(pathOf(generation), `${JSON.stringify(move, null, 2)}\n`, written))) return false
    const all = await this.#generations()
    if (all.at(-1) === generation || all.includes(generation + 1)) return true
    // so late that the entry of this number had been made and forgotten
    await this.files.remove(pathOf(generation))
    return false
  }

  /** Forgets the oldest moves. */
  async trim(): Promise<void> {
    const old = (await this.#generations()).slice(0, -KEPT)
    for (const generation of old) await this.files.remove(pathOf(generation))
  }

  async #generations(): Promise<readonly number[]> {
    const names = await this.files.names(FOLDER)
    return names.flatMap((name) => (PATTERN.test(name) ? [Number.parseInt(name, 10)] : [])).sort((a, b) => a - b)
  }
}

const PATTERN = /^\d{8,15}\.json$/

const pathOf = (generation: number) => `${FOLDER}/${String(generation).padStart(8, '0')}.json`

/** Null for anything but a whole entry. */
function parsed(text: string): Move | null {
  let value: Partial<Move> | null
  try {
    value = JSON.parse(text) as Partial<Move> | null
  } catch {
    return null
  }
  const { generation, time, by, cause, salt, aliases, pinned, frozen, states } = value ?? {}
  const isWhole =
    [time, by, salt].every((each) => typeof each === 'string') &&
    Number.isSafeInteger(generation) &&
    CAUSES.includes(cause as (typeof CAUSES)[number]) &&
    isVersion(pinned) &&
    typeof frozen === 'boolean' &&
    ALIASES.every((alias) => isVersion(aliases?.[alias])) &&
    Object.entries(states ?? { missing: '' }).every(
      ([version, state]) => versionStep(version) !== null && VERSION_STATES.includes(state as never),
    )
  return isWhole ? (value as Move) : null
}

const isVersion = (value: unknown) => value === null || (typeof value === 'string' && versionStep(value) !== null)
