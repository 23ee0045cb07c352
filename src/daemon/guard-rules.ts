import type { Config } from '../config/config.js'
import type { AppliedStep } from '../learner/step.js'
import type { GuardName } from '../telemetry/events/guards.js'

/** What the guards look at. */
export type GuardMeasures = Pick<AppliedStep, 'klPerToken' | 'delta' | 'rewardUpMean' | 'rewardDownMean'>

/** A mean over `guard.steps` steps that is beyond its limit. */
export interface Trip {
  readonly guard: GuardName
  readonly value: number
}

/** A mean margin above this counts as learnt; BcodMarginCollapsed has the same number. */
export const LEARNT_MARGIN = 0.1

/** The rules of the guards: means over the last `guard.steps` steps. They begin with the first step they observe. */
export class GuardRules {
  readonly #kl: MovingMean
  readonly #margin: MovingMean
  readonly #delta: MovingMean
  /** The mean margin was clearly above 0. */
  #hasLearnt = false

  constructor(private readonly config: Config['guard']) {
    this.#kl = new MovingMean(config.steps)
    this.#margin = new MovingMean(config.steps)
    this.#delta = new MovingMean(config.steps)
  }

  /** The first guard that this step trips. A step that did not measure something does not count for its guard. */
  observe({ klPerToken, delta, rewardUpMean: up, rewardDownMean: down }: GuardMeasures): Trip | null {
    const { klBudget, pauseOnCollapse, maxDelta } = this.config
    const kl = klPerToken === null ? null : this.#kl.add(klPerToken)
    const margin = up === null || down === null ? null : this.#margin.add(up - down)
    const shift = this.#delta.add(delta)
    if (margin !== null && margin > LEARNT_MARGIN) this.#hasLearnt = true
    if (klBudget > 0 && kl !== null && Math.abs(kl) > klBudget) return { guard: 'kl', value: kl }
    if (pauseOnCollapse && this.#hasLearnt && margin !== null && margin < 0) return { guard: 'margin', value: margin }
    if (maxDelta > 0 && shift !== null && Math.abs(shift) > maxDelta) return { guard: 'delta', value: shift }
    return null
  }
}

/** The mean of the last values. */
class MovingMean {
  readonly #values: number[] = []

  constructor(private readonly count: number) {}

  /** The mean with this value; null until there are enough values. */
  add(value: number): number | null {
    this.#values.push(value)
    if (this.#values.length > this.count) this.#values.shift()
    if (this.#values.length < this.count) return null
    return this.#values.reduce((sum, each) => sum + each, 0) / this.count
  }
}
