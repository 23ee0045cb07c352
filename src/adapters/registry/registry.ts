import { BcodError } from '../../errors.js'
import type { Control } from '../moves/arm-plan.js'
import { canaryEnded, canaryStarted, controlSet } from '../moves/canary-move.js'
import {
  added,
  byStep,
  dispensable,
  isHeld,
  type Move,
  madeLive,
  pinned,
  type ResumeFrom,
  refused,
  removed,
  requireVersion,
  resumeAsked,
  resumeDone,
  resumed,
  rolledBack,
  unpinned,
} from '../moves/move.js'
import { DirectoryFiles } from '../storage/directory-files.js'
import type { RegistryFiles } from '../storage/registry-files.js'
import { CANARY_REPORT, type CanaryReport } from '../versions/canary-report.js'
import { GATE_REPORT, type StoredGateReport } from '../versions/gate-report.js'
import { versionStep } from '../versions/version.js'
import type { Adapter } from '../weights/adapter.js'
import { type AdapterDifference, adapterDifference } from '../weights/diff.js'
import { readRecord } from './derived.js'
import { type Expectation, Mover, type MoverOptions } from './mover.js'
import { type Origin, writeVersion } from './new-version.js'
import { type ListedVersion, RegistryReader } from './registry-reader.js'

export interface RegistryOptions extends MoverOptions {
  /** What learning measures against (`model.reference`): a version of that name is never removed. */
  readonly reference?: string
}

/** What two versions do to the weights. */
export interface ComparedVersions extends AdapterDifference {
  readonly versions: readonly [a: string, b: string]
}

/**
 * Immutable versions of an adapter, and aliases that move over them. The log of moves is the truth; links, states and
 * `routing.json` follow it, and whoever finds them behind brings them up. Several processes may move at once: each move
 * is made after the one before it, or not at all.
 *
 * Every method throws ADAPTER_DISK_FULL, ADAPTER_IO and ADAPTER_LOG_DAMAGED; those that move, ADAPTER_MOVED.
 */
export class Registry extends RegistryReader {
  readonly #mover: Mover

  /** @param files  a directory, or another place */
  constructor(
    files: string | RegistryFiles,
    private readonly options: RegistryOptions,
  ) {
    super(typeof files === 'string' ? new DirectoryFiles(files, (stage) => options.onStage?.(stage)) : files)
    this.#mover = new Mover(this, this.log, options)
  }

  /** How far two versions are apart. @throws ADAPTER_UNKNOWN, what `adapterDifference` throws */
  async compare(a: string, b: string): Promise<ComparedVersions> {
    const versions = [await this.resolve(a), await this.resolve(b)] as const
    const [one, other] = [await this.files.local(versions[0]), await this.files.local(versions[1])]
    return { versions, ...(await adapterDifference(one, other)) }
  }

  /** Brings what follows from the log up to it, and says what holds. A registry without moves stays as it is. */
  async repair(): Promise<Move> {
    return this.#mover.repair()
  }

  /** Keeps what the gate says of a version. */
  async saveGateReport(report: StoredGateReport): Promise<void> {
    await this.files.replace(`${report.version}/${GATE_REPORT}`, `${JSON.stringify(report, null, 2)}\n`)
    this.#mover.stage('gate written')
  }

  /** Keeps the evidence of a version's test. */
  async saveCanaryReport(report: CanaryReport): Promise<void> {
    await this.files.replace(`${report.version}/${CANARY_REPORT}`, `${JSON.stringify(report, null, 2)}\n`)
    this.#mover.stage('canary written')
  }

  /**
   * Adds the adapter of a step as `v00001234`, whole or not at all, as the candidate. Adding the same adapter again
   * changes nothing.
   *
   * @throws ADAPTER_NONFINITE, ADAPTER_VERSION_CONFLICT, DIRECTORY_FOREIGN
   */
  async add(adapter: Adapter, origin: Origin): Promise<ListedVersion> {
    const version = await writeVersion(this, adapter, origin, () => this.#mover.now())
    await this.#mover.move('added', (current) => added(current, version))
    return this.version(version)
  }

  /**
   * Makes a version live without anybody's asking, unless it was refused or rolled back, or the registry is frozen or
   * pinned.
   *
   * @returns whether it is live
   * @throws ADAPTER_UNKNOWN
   */
  async publish(version: string): Promise<boolean> {
    const move = await this.#mover.move('published', (current) =>
      isHeld(current, version) ? null : madeLive(current, version),
    )
    return move.aliases.live === version
  }

  /** Whether `publish` would leave a version as it is. */
  async holds(version: string): Promise<boolean> {
    return isHeld(await this.current(), version)
  }

  /**
   * Gives a version to a share of the users, unless another one is under test, none is live, or `publish` would leave it
   * as it is.
   *
   * @returns whether it is the canary
   * @throws ADAPTER_UNKNOWN
   */
  async startCanary(version: string, share: number): Promise<boolean> {
    const time = this.#mover.now()
    const { aliases } = await this.#mover.move('canary started', (current) =>
      canaryStarted(current, version, { share, time }),
    )
    return aliases.canary === version
  }

  /** Ends the test of the canary: it is not live. If another one is under test by now, nothing moves. */
  async endCanary(version: string, state: 'refused' | 'rolled_back'): Promise<Move> {
    const cause = state === 'refused' ? 'canary refused' : 'canary rolled back'
    return this.#mover.move(cause, (current) => canaryEnded(current, version, state))
  }

  /** Says who is to get what is not learnt; null: nobody. @throws ADAPTER_UNKNOWN */
  async setControl(control: Control | null): Promise<Move> {
    return this.#mover.move('control set', (current) => {
      const version = control?.version ?? null
      if (version !== null) requireVersion(current, version)
      return controlSet(current, control)
    })
  }

  /**
   * Makes a version live because somebody asks for it.
   *
   * @param force  although the gate has not passed it, or it was rolled back
   * @throws ADAPTER_UNKNOWN, ADAPTER_UNGATED, ADAPTER_PINNED
   */
  async promote(
    version: string,
    { force = false, ...expected }: Expectation & { force?: boolean } = {},
  ): Promise<Move> {
    if (!force) await this.#requirePassed(version)
    return this.#mover.moveServed(version, 'promoted', expected, (current) => {
      if (current.pinned === null || current.pinned === version) return madeLive(current, version)
      throw new BcodError('ADAPTER_PINNED', `live is pinned to ${current.pinned}`, { place: this.files.place })
    })
  }

  /** Marks a candidate as refused. The live version is never refused. @throws ADAPTER_UNKNOWN */
  async refuse(version: string): Promise<Move> {
    return this.#mover.move('refused', (current) => refused(current, version))
  }

  /**
   * Goes back to an older version and freezes the registry: nothing is published or learnt until `resume`.
   *
   * @throws ADAPTER_UNKNOWN, ADAPTER_NO_PREVIOUS
   */
  async rollback({ to = null, ...expected }: Expectation & { to?: string | null } = {}): Promise<Move> {
    const target = to ?? (await this.current()).aliases.previous
    if (target !== null) await this.options.serve?.(target, 'rolled back')
    // to the version that servers have loaded, also if `previous` leads to another one by now
    return this.#mover
      .move('rolled back', (current) => rolledBack(current, target), expected)
      .catch(async (error) => {
        if (target !== null) await this.options.withdraw?.(target)
        throw error
      })
  }

  /** Makes a version live and keeps it there. @throws ADAPTER_UNKNOWN, ADAPTER_UNGATED */
  async pin(version: string, { force = false, ...expected }: Expectation & { force?: boolean } = {}): Promise<Move> {
    if (!force && (await this.current()).aliases.live !== version) await this.#requirePassed(version)
    return this.#mover.moveServed(version, 'pinned', expected, (current) => pinned(current, version))
  }

  async unpin(expected: Expectation = {}): Promise<Move> {
    return this.#mover.move('unpinned', unpinned, expected)
  }

  /**
   * Asks for learning to go on from a version: the daemon takes up its checkpoint and ends the freeze (`resumeDone`).
   *
   * @throws ADAPTER_UNKNOWN
   */
  async resumeFrom(version: string, expected: Expectation = {}): Promise<Move> {
    return this.#mover.move('resumed', (current) => resumeAsked(current, version), expected)
  }

  /** Learning has gone on from the version that was asked for. */
  async resumeDone(asked: ResumeFrom): Promise<Move> {
    return this.#mover.move('resumed', (current) => resumeDone(current, asked))
  }

  /** Publishing and learning go on, with all that was learnt. */
  async resume(expected: Expectation = {}): Promise<Move> {
    return this.#mover.move('resumed', resumed, expected)
  }

  /**
   * Removes the oldest versions but the newest `keep`, those that an alias or a pin holds, the
   * reference, and those that are loaded.
   *
   * @param loaded  versions that a server may still read
   * @param dryRun  only says what would go
   * @returns the versions that are gone
   */
  async gc(keep: number, { loaded = [] as readonly string[], dryRun = false } = {}): Promise<readonly string[]> {
    const held = [...loaded, ...(this.options.reference === undefined ? [] : [this.options.reference])]
    if (dryRun) return dispensable(await this.current(), keep, held)
    await this.files.clear()
    let gone: readonly string[] = []
    // the log first: from then on nobody can move an alias to one of them
    const { states } = await this.#mover.move('removed', (current) => {
      gone = dispensable(current, keep, held)
      return removed(current, gone)
    })
    const newest = Object.keys(states).sort(byStep).at(-1)
    for (const name of await this.files.names('.')) {
      const isOld = newest !== undefined && versionStep(name) !== null && byStep(name, newest) < 0
      if (!isOld || Object.hasOwn(states, name) || held.includes(name)) continue
      if ((await readRecord(this.files, name)) !== null) await this.files.removeVersion(name)
    }
    await this.log.trim()
    return gone
  }

  /** @throws ADAPTER_UNKNOWN, ADAPTER_UNGATED */
  async #requirePassed(version: string): Promise<void> {
    const { state, gate } = await this.version(version)
    if (gate === 'passed' && state !== 'rolled_back') return
    const verdict = gate === null ? 'has no gate report' : `did not pass the gate (${gate})`
    const reason = gate === 'passed' ? 'was rolled back' : verdict
    throw new BcodError('ADAPTER_UNGATED', `${version} ${reason}`, { place: this.files.place })
  }
}
