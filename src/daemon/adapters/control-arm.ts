import type { Control } from '../../adapters/moves/arm-plan.js'
import type { Registry } from '../../adapters/registry/registry.js'
import { DEFAULT_NAME } from '../../adapters/registry/routing.js'
import { servedName } from '../../adapters/versions/version.js'
import type { ConfigFor } from '../../config/requirements.js'
import { Failed } from '../../telemetry/events/daemon.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import type { RegistryWatch } from './registry-watch.js'
import type { ServingWatch } from './serving-watch.js'

export interface ControlArmParts {
  readonly config: Pick<ConfigFor<'run'>, 'canary'>
  readonly registry: Registry
  readonly watch: Pick<RegistryWatch, 'state' | 'routing' | 'look'>
  readonly servers: Pick<ServingWatch, 'base'> | null
  readonly telemetry: Telemetry
}

/** Brings the control arm of the registry to what the configuration says. */
export class ControlArm {
  #isSet = false
  #problem: string | null = null

  constructor(private readonly parts: ControlArmParts) {}

  /** Sets it once a version is live and the name of the base is known. A failure is told once for each cause. */
  async look(): Promise<void> {
    const { registry, watch, telemetry } = this.parts
    if (this.#isSet || watch.state === null || watch.state.aliases.live === null) return
    try {
      const control = await this.#wanted()
      if (control === undefined) return
      await registry.setControl(control)
      this.#isSet = true
      await watch.look()
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error)
      if (problem !== this.#problem) telemetry.emit(new Failed(error, false))
      this.#problem = problem
    }
  }

  /** Undefined while no server tells the name of its base. */
  async #wanted(): Promise<Control | null | undefined> {
    const { config, watch, servers } = this.parts
    const { controlShare: share, control, baseModel } = config.canary
    if (share === 0) return null
    if (control !== 'base')
      return { version: control, model: servedName(watch.routing?.name ?? DEFAULT_NAME, control), share }
    const model = baseModel ?? (await servers?.base()) ?? null
    return model === null ? undefined : { version: null, model, share }
  }
}
