import type { Move } from '../../adapters/moves/move.js'
import type { Registry } from '../../adapters/registry/registry.js'
import type { ArmReport, CanaryOutcome, CanaryReport } from '../../adapters/versions/canary-report.js'
import type { ConfigFor } from '../../config/requirements.js'
import type { ArmTally, Trial } from '../../streams/arm-tally.js'
import { ArmsMeasured, CanaryEnded, CanaryPassed } from '../../telemetry/events/arms.js'
import { Failed } from '../../telemetry/events/daemon.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import type { ClusteredRate } from '../../uplift/clustered-rate.js'
import { verdictOf } from '../../uplift/verdict.js'
import type { AdapterPublisher } from './adapter-publisher.js'
import type { RegistryWatch } from './registry-watch.js'

export interface CanaryTestParts {
  readonly config: Pick<ConfigFor<'run'>['canary'], 'margin' | 'alpha' | 'minVotes' | 'maxDuration'>
  readonly registry: Registry
  readonly watch: Pick<RegistryWatch, 'state' | 'look'>
  readonly arms: Pick<ArmTally, 'trial' | 'period' | 'uplift' | 'isOn'>
  readonly publisher: Pick<AdapterPublisher, 'promoteCanary' | 'startWaiting'>
  /** `manual`: a canary that has passed waits for a person. */
  readonly mode: 'auto' | 'manual'
  readonly telemetry: Telemetry
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** The evidence so far is written this often while a test goes on. Milliseconds. */
const WRITE_EVERY = 60_000

/** The test under way, and what was found at the last look. */
interface Known {
  readonly number: number
  readonly report: CanaryReport
  /** When the report was written last; null: not yet by this process. */
  readonly written: number | null
}

/** Looks at the votes of the canary and of live, and ends the test when they show something. */
export class CanaryTest {
  #known: Known | null = null
  #last: Promise<void> = Promise.resolve()
  #isOpen = true

  constructor(private readonly parts: CanaryTestParts) {}

  /** What the votes show of the canary under test; null without one. */
  get report(): CanaryReport | null {
    return this.#known?.report ?? null
  }

  /** Looks once, after the look under way. A failure is told, and the next look tries again. */
  look(): Promise<void> {
    this.#last = this.#last.then(() => this.#look())
    return this.#last
  }

  /** Nothing is decided any more. Resolves when the look under way has ended. */
  async close(): Promise<void> {
    this.#isOpen = false
    await this.#last
  }

  async #look(): Promise<void> {
    const { arms, telemetry, watch } = this.parts
    const { state } = watch
    if (!this.#isOpen || state === null) return
    if (!arms.isOn) return this.#endLeftOver(state)
    const { trial, period, uplift } = arms
    const rates = { control: period.control.rate.rate, live: period.live.rate.rate }
    telemetry.emit(new ArmsMeasured({ ...rates, canary: trial?.canary.rate.rate ?? null }, uplift))
    try {
      if (this.#known !== null && this.#known.number !== trial?.number) await this.#endedByOthers(this.#known, state)
      else if (trial !== null) await this.#test(trial, state)
    } catch (error) {
      telemetry.emit(new Failed(error, false))
    }
  }

  /** Canaries were turned off while one was under test: nobody looks at its votes any more. */
  async #endLeftOver({ aliases: { canary } }: Move): Promise<void> {
    const { registry, watch, telemetry } = this.parts
    if (canary === null) return
    try {
      await registry.endCanary(canary, 'refused')
      await watch.look()
    } catch (error) {
      telemetry.emit(new Failed(error, false))
    }
  }

  async #test(trial: Trial, state: Move): Promise<void> {
    const { config, now, mode, telemetry } = this.parts
    const report = await this.#reportOn(trial, state)
    const written = this.#known?.written ?? null
    const wasPassed = this.#known?.report.passed ?? false
    this.#known = { number: trial.number, report, written }
    const isOver = now() >= Date.parse(report.started) + config.maxDuration
    if (report.outcome === 'worse') return this.#end(report, 'rolled_back')
    if (report.passed && mode === 'auto') return this.#end({ ...report, outcome: 'promoted' }, 'live')
    if (isOver && !report.passed) return this.#end({ ...report, outcome: 'undecided' }, 'refused')
    if (report.passed && !wasPassed) telemetry.emit(new CanaryPassed(report))
    if (written !== null && now() < written + WRITE_EVERY) return
    await this.parts.registry.saveCanaryReport(report)
    this.#known = { ...this.#known, written: now() }
  }

  /** The evidence is written before anything moves. */
  async #end(report: CanaryReport, becomes: 'live' | 'refused' | 'rolled_back'): Promise<void> {
    const { registry, publisher, watch, telemetry } = this.parts
    await registry.saveCanaryReport(report)
    if (becomes !== 'live') await registry.endCanary(report.version, becomes)
    // somebody has been faster: the next look finds what holds
    else if (!(await publisher.promoteCanary(report.version))) return watch.look()
    this.#known = null
    telemetry.emit(new CanaryEnded(report))
    await watch.look()
    await publisher.startWaiting()
  }

  /** A person has moved an alias, or another process has ended the test. */
  async #endedByOthers({ report }: Known, { aliases, states }: Move): Promise<void> {
    const { registry, telemetry, publisher } = this.parts
    const outcome: CanaryOutcome = aliases.live === report.version ? 'promoted' : 'ended'
    this.#known = null
    if (Object.hasOwn(states, report.version)) await registry.saveCanaryReport({ ...report, outcome })
    telemetry.emit(new CanaryEnded({ ...report, outcome }))
    await publisher.startWaiting()
  }

  async #reportOn({ number, canary, live }: Trial, { aliases, arms }: Move): Promise<CanaryReport> {
    const { config, now, registry } = this.parts
    const version = aliases.canary as string
    const known = this.#known?.number === number ? this.#known.report : await registry.canaryReport(version)
    const { verdict, difference } = verdictOf(canary.rate, live.rate, config)
    const of = { canary: armReport(canary.rate), live: armReport(live.rate) }
    const hasNews = known?.canary.votes !== of.canary.votes || known.live.votes !== of.live.votes
    return {
      ...{ version, against: aliases.live as string, started: arms?.canary?.started as string },
      ...{ updated: new Date(now()).toISOString(), outcome: verdict === 'worse' ? 'worse' : 'open' },
      ...{ passed: verdict === 'not worse', ...of },
      ...{ difference: difference?.value ?? null, low: difference?.low ?? null, high: difference?.high ?? null },
      ...{ margin: config.margin, alpha: config.alpha, min_votes: config.minVotes },
      looks: (known?.looks ?? 0) + (hasNews ? 1 : 0),
    }
  }
}

export const armReport = ({ votes, users, rate }: ClusteredRate): ArmReport => ({ votes, users, up_ratio: rate })
