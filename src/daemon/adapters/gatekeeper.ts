import type { Registry } from '../../adapters/registry/registry.js'
import type { GateReport } from '../../adapters/versions/gate-report.js'
import { BcodError } from '../../errors.js'
import { type Check, finding, type GateVersion } from '../../gate/check.js'
import { runGate } from '../../gate/gate.js'
import type { LearnerModel } from '../../gate/learner-model.js'
import { readVersion } from '../../gate/read-version.js'
import { GateChecked, GateOpened, VersionGated } from '../../telemetry/events/gate.js'
import type { Telemetry } from '../../telemetry/telemetry.js'

export interface GatekeeperParts {
  readonly registry: Registry
  readonly checks: readonly Check[]
  readonly model: LearnerModel
  readonly telemetry: Telemetry
}

/** Gates the versions of a registry against the one that is live, and keeps the reports. */
export class Gatekeeper {
  /** The live version as it was read or gated last. */
  #live: GateVersion | null = null
  /** What is judged last, or waits for that. */
  #last: Promise<unknown> = Promise.resolve()

  constructor(private readonly parts: GatekeeperParts) {
    parts.telemetry.emit(new GateOpened(parts.checks.map(({ name }) => name)))
  }

  /**
   * Gates a version, unless it has passed or was refused before.
   *
   * @returns whether it has passed
   * @throws the signal's reason if it is aborted, ADAPTER_* of the registry
   */
  async passes(candidate: Omit<GateVersion, 'directory'>, signal: AbortSignal): Promise<boolean> {
    const { registry } = this.parts
    const known = await registry.gateReport(candidate.version)
    if (known !== null && known.outcome !== 'error') return known.outcome === 'passed'
    const report = await this.#judge(
      async () => ({ ...candidate, directory: await registry.files.local(candidate.version) }),
      signal,
    )
    return report.outcome === 'passed'
  }

  /**
   * Gates any version, whatever was said of it before, and keeps the report.
   *
   * @throws the signal's reason if it is aborted, ADAPTER_* if it is unknown or cannot be read
   */
  async again(version: string, signal: AbortSignal): Promise<GateReport> {
    return this.#judge(() => readVersion(this.parts.registry, version), signal)
  }

  /** One after the other: two at once would take each as long as both. */
  #judge(read: () => Promise<GateVersion>, signal: AbortSignal): Promise<GateReport> {
    const { registry, telemetry } = this.parts
    const judged = this.#last.then(async () => {
      signal.throwIfAborted()
      const subject = await read()
      const report = await this.#gate(subject, signal)
      await registry.saveGateReport(report)
      telemetry.emit(new VersionGated(report))
      if (report.outcome === 'passed') this.#live = subject
      return report
    })
    this.#last = judged.catch(() => undefined)
    return judged
  }

  async #gate(candidate: GateVersion, signal: AbortSignal): Promise<GateReport> {
    const { checks, model, telemetry } = this.parts
    const started = new Date().toISOString()
    const { version } = candidate
    try {
      const live = await this.#liveVersion()
      const subject = { candidate, live, model: model.of(candidate, live, signal), signal }
      return await runGate(checks, subject, { checked: (check) => telemetry.emit(new GateChecked(version, check)) })
    } catch (error) {
      if (signal.aborted || !(error instanceof BcodError)) throw error
      // what it would be compared with cannot be read
      const failed = { name: 'live', ...finding({ outcome: 'skipped', detail: error.line }), outcome: 'error' as const }
      telemetry.emit(new GateChecked(version, failed))
      return { version, parent: null, started, seconds: 0, outcome: 'error', checks: [failed] }
    }
  }

  /** @throws ADAPTER_* if it cannot be read */
  async #liveVersion(): Promise<GateVersion | null> {
    const { registry } = this.parts
    const version = (await registry.current()).aliases.live
    if (version === null) return null
    if (this.#live?.version === version) return this.#live
    this.#live = await readVersion(registry, version)
    return this.#live
  }
}
