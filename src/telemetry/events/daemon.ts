import type { Config } from '../../config/config.js'
import { showConfig } from '../../config/show.js'
import { BcodError } from '../../errors.js'
import type { History } from '../history.js'
import { LIFECYCLE_STATES, type LifecycleState } from '../lifecycle.js'
import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap-line.js'
import { InternalEvent, type LogLine } from '../telemetry.js'
import { VERSION } from '../version.js'

/** The daemon as a whole does something else now. */
export class LifecycleChanged extends InternalEvent {
  constructor(readonly state: LifecycleState) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: this.state, state: this.state }
  }
  override count(metrics: Metrics): void {
    for (const state of LIFECYCLE_STATES) metrics.daemon.lifecycleState.set({ state }, state === this.state ? 1 : 0)
  }
  override remember(history: History): void {
    history.lifecycle(this.state)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'state', state: this.state }]
  }
}

/** Another daemon is at work for the same adapter: this one waits until the group is empty. */
export class StandingBy extends InternalEvent {
  constructor(
    readonly groupId: string,
    readonly members: number,
  ) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: 'standing by: the group has members', groupId: this.groupId, members: this.members }
  }
}

/** Before a new lineage begins, it is tried how its programs run fastest. */
export class TrialsStarted extends InternalEvent {
  constructor(readonly candidates: number) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: 'measuring how the model trains fastest', candidates: this.candidates }
  }
}

/** How the programs run. */
interface Execution {
  readonly executor: string
  readonly kernels: string
  readonly threads: number
  readonly interOpThreads: number
}

/** It is known how the programs run from here on. */
export class ExecutionChosen extends InternalEvent {
  constructor(
    readonly execution: Execution,
    readonly choice: {
      readonly source: 'rule' | 'measured' | 'lineage'
      readonly reason: string
      /** What was tried, and its share of the time that the rule's choice took. */
      readonly trials: readonly { readonly execution: Execution; readonly ratio: number | null }[]
    },
  ) {
    super()
  }
  log(): LogLine {
    const { executor, kernels, threads, interOpThreads } = this.execution
    const { reason, trials } = this.choice
    const tried = trials.map(({ execution, ratio }) => ({ ...execution, ratio }))
    return { level: 'info', msg: 'execution', executor, kernels, threads, interOpThreads, reason, tried }
  }
  override count(metrics: Metrics): void {
    const { executor, kernels, threads, interOpThreads } = this.execution
    const { source } = this.choice
    metrics.daemon.executionInfo.reset()
    metrics.daemon.executionInfo.set(
      { executor, kernels, threads: String(threads), inter_op_threads: String(interOpThreads), source },
      1,
    )
  }
}

/** The model or its settings were interpreted in a way that may surprise. */
export class ModelNoted extends InternalEvent {
  constructor(readonly note: string) {
    super()
  }
  log(): LogLine {
    return { level: 'warn', msg: this.note }
  }
}

/** The configuration is known. Secrets are masked. */
export class ConfigLoaded extends InternalEvent {
  constructor(readonly config: Config) {
    super()
  }
  log(): LogLine {
    return { level: 'info', msg: 'configuration', config: showConfig(this.config) }
  }
  override count(metrics: Metrics): void {
    const { bco, ratio, model, optimizer } = this.config
    metrics.daemon.configInfo.reset()
    metrics.daemon.configInfo.set(
      {
        mode: bco.mode,
        reduction: bco.reduction,
        ratio: ratio.mode,
        dtype: model.dtype,
        executor: model.executor,
        schedule: optimizer.schedule,
      },
      1,
    )
  }
}

/** The configuration exposes something, as `bcod check` also reports. Never contains a secret. */
export class ExposureFound extends InternalEvent {
  constructor(readonly finding: { readonly name: string; readonly detail: string; readonly remedy: string | null }) {
    super()
  }
  log(): LogLine {
    const { name, detail, remedy } = this.finding
    return { level: 'warn', msg: detail, about: name, remedy }
  }
}

/** This program started. */
export class BuildInfo extends InternalEvent {
  log(): LogLine {
    return { level: 'info', msg: 'bcod', node: process.version, platform: `${process.platform}-${process.arch}` }
  }
  override count(metrics: Metrics): void {
    metrics.daemon.buildInfo.set({ version: VERSION, node: process.version }, 1)
  }
}

/** Something went wrong that ends the daemon (`fatal`) or that it survives. */
export class Failed extends InternalEvent {
  constructor(
    readonly error: unknown,
    readonly fatal: boolean,
  ) {
    super()
  }
  log(): LogLine {
    const level = this.fatal ? 'fatal' : 'error'
    const { error } = this
    if (error instanceof BcodError) {
      const { code, place, message, remedy } = error
      return { level, msg: message, code, place, remedy }
    }
    return {
      level,
      msg: 'unexpected error',
      code: 'INTERNAL',
      stack: error instanceof Error ? error.stack : String(error),
    }
  }
}
