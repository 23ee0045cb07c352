import { setTimeout as sleep } from 'node:timers/promises'
import type { GateReport } from '../../adapters/versions/gate-report.js'
import type { Gatekeeper } from './gatekeeper.js'

export interface GateOnDemandParts {
  readonly gate: Pick<Gatekeeper, 'again'>
  /** Aborted when the daemon stops. */
  readonly signal: AbortSignal
  /** Told of a failure that nobody waits for any more. */
  readonly failed: (error: unknown) => void
  /** How long a caller waits, milliseconds. */
  readonly wait: number
}

/** Gates versions because somebody asks for it. Whoever asks for a version that is being gated waits for the same report. */
export class GateOnDemand {
  readonly #running = new Map<string, Promise<GateReport>>()

  constructor(private readonly parts: GateOnDemandParts) {}

  /**
   * @returns the report; null if it is not there yet: it will lie in the version's folder
   * @throws what `Gatekeeper.again` throws
   */
  async run(version: string): Promise<GateReport | null> {
    const { signal, failed, wait } = this.parts
    const running = this.#running.get(version) ?? this.#begin(version)
    const answered = new AbortController()
    try {
      const late = sleep(wait, null, { ref: false, signal: answered.signal }).catch(() => null)
      const report = await Promise.race([running, late])
      if (report === null) running.catch((error: unknown) => signal.aborted || failed(error))
      return report
    } finally {
      answered.abort()
    }
  }

  #begin(version: string): Promise<GateReport> {
    const { gate, signal } = this.parts
    const running = gate.again(version, signal).finally(() => this.#running.delete(version))
    this.#running.set(version, running)
    return running
  }
}
