import { randomBytes } from 'node:crypto'
import { BcodError } from '../../errors.js'
import { byStep, isAlias, type Move, requireVersion, withoutMissing } from '../moves/move.js'
import { MoveLog } from '../moves/move-log.js'
import type { RegistryFiles } from '../storage/registry-files.js'
import { CANARY_REPORT, type CanaryReport, parseCanaryReport } from '../versions/canary-report.js'
import { GATE_REPORT, parseGateReport, type StoredGateReport } from '../versions/gate-report.js'
import { versionStep } from '../versions/version.js'
import type { VersionRecord, VersionState } from '../versions/version-record.js'
import { adopted, readRecord } from './derived.js'
import { parseRouting, ROUTING, type Routing } from './routing.js'

/** A version with all that is known of it. */
export interface ListedVersion extends VersionRecord {
  readonly state: VersionState
  readonly aliases: readonly string[]
  readonly pinned: boolean
  /** What the gate said; null if it has not looked. */
  readonly gate: StoredGateReport['outcome'] | null
}

/** One version with the whole reports of the gate and of its test. */
export interface ShownVersion extends Omit<ListedVersion, 'gate'> {
  /** The first and the last step that it has learnt beyond its parent. */
  readonly steps: readonly [number, number]
  readonly gate: StoredGateReport | null
  /** Null if it was never a canary. */
  readonly canary: CanaryReport | null
}

/**
 * What a registry holds, without touching it.
 *
 * Every method throws ADAPTER_IO and ADAPTER_LOG_DAMAGED.
 */
export class RegistryReader {
  protected readonly log: MoveLog
  readonly #salt = randomBytes(16).toString('hex')

  constructor(readonly files: RegistryFiles) {
    this.log = new MoveLog(files)
  }

  /** What holds now. Nothing is written. */
  async current(): Promise<Move> {
    const newest = (await this.log.newest()) ?? (await adopted(this.files, this.#salt))
    const there = new Set(await this.files.names('.'))
    return withoutMissing(newest, (version) => there.has(version))
  }

  /** The moves after a generation, oldest first, as far as the log goes back. */
  async movesAfter(generation: number): Promise<readonly Move[]> {
    const moves: Move[] = []
    for (let next = generation + 1; ; next++) {
      const move = await this.log.read(next)
      if (move === null) return moves
      moves.push(move)
    }
  }

  /** Every version, oldest step first. */
  async list(): Promise<readonly ListedVersion[]> {
    const current = await this.current()
    const listed = await Promise.all(
      Object.keys(current.states)
        .sort(byStep)
        .map((version) => this.#listed(current, version)),
    )
    return listed.filter((version) => version !== null)
  }

  /** One version. @throws ADAPTER_UNKNOWN */
  async version(version: string): Promise<ListedVersion> {
    const current = await this.current()
    requireVersion(current, version)
    const listed = await this.#listed(current, version)
    if (listed === null) throw new BcodError('ADAPTER_UNKNOWN', `${version} has no readable bcod.json`)
    return listed
  }

  /** One version by its name or an alias, with its steps and whole reports. @throws ADAPTER_UNKNOWN */
  async show(name: string): Promise<ShownVersion> {
    const version = await this.version(await this.resolve(name))
    const first = (version.parent === null ? 0 : (versionStep(version.parent) ?? 0)) + 1
    const gate = await this.gateReport(version.version)
    return { ...version, steps: [first, version.step], gate, canary: await this.canaryReport(version.version) }
  }

  /** The version that a name stands for: that of an alias, or itself. @throws ADAPTER_UNKNOWN */
  async resolve(name: string): Promise<string> {
    const current = await this.current()
    if (!isAlias(name)) {
      requireVersion(current, name)
      return name
    }
    const version = current.aliases[name]
    if (version === null) throw new BcodError('ADAPTER_UNKNOWN', `no version is ${name}`)
    return version
  }

  /** What the gate said of a version; null if it has not looked. */
  async gateReport(version: string): Promise<StoredGateReport | null> {
    return parseGateReport(await this.files.read(`${version}/${GATE_REPORT}`))
  }

  /** The evidence of a version's test; null if it was never a canary. */
  async canaryReport(version: string): Promise<CanaryReport | null> {
    return parseCanaryReport(await this.files.read(`${version}/${CANARY_REPORT}`))
  }

  /** What routers read; null before the first move. */
  async routing(): Promise<Partial<Routing> | null> {
    return parseRouting(await this.files.read(ROUTING))
  }

  async #listed({ aliases, states, pinned }: Move, version: string): Promise<ListedVersion | null> {
    const record = await readRecord(this.files, version)
    if (record === null) return null
    const names = Object.entries(aliases).flatMap(([alias, leadsTo]) => (leadsTo === version ? alias : []))
    const gate = (await this.gateReport(version))?.outcome ?? null
    return { ...record, state: states[version] as VersionState, aliases: names, pinned: pinned === version, gate }
  }
}
