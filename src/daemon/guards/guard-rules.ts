import type { Config } from '../../config/config.js'
import type { GuardName } from '../../telemetry/events/guards.js'
import { FallingUpRate } from './falling-up-rate.js'
import type { GuardMeasures } from './guard-measures.js'

/** A figure that is beyond its limit: a mean over `guard.steps` steps, or the fall of the thumbs-up rate. */
export interface Trip {
  readonly guard: GuardName
  readonly value: number
}

/** A mean margin above this counts as learnt; BcodMarginCollapsed has the same number. */
export const LEARNT_MARGIN = 0.1

/** The rules of the guards. They begin with the first step they observe. */
export class GuardRules {
  readonly #kl: MovingMean
  readonly #margin: MovingMean
  readonly #delta: MovingMean
  readonly #upRate: FallingUpRate
  /** The mean margin was clearly above 0. */
  #hasLearnt = false

  constructor(private readonly config: Config['guard']) {
    this.#kl = new MovingMean(config.steps)
    this.#margin = new MovingMean(config.steps)
    this.#delta = new MovingMean(config.steps)
    this.#upRate = new FallingUpRate(config.upRateDrop, config.upRateVotes)
  }

  /** The first guard that this step trips. A step that did not measure something does not count for its guard. */
  observe({ distance, delta, rewardUpMean: up, rewardDownMean: down, votes }: GuardMeasures): Trip | null {
    const { klBudget, pauseOnCollapse, maxDelta, upRateDrop } = this.config
    const kl = distance === null ? null : this.#kl.add(distance)
    const margin = up === null || down === null ? null : this.#margin.add(up - down)
    const shift = this.#delta.add(delta)
    if (margin !== null && margin > LEARNT_MARGIN) this.#hasLearnt = true
    const fall = upRateDrop > 0 ? this.#upRate.add(votes) : null
    if (klBudget > 0 && kl !== null && kl > klBudget) return { guard: 'kl', value: kl }
    if (pauseOnCollapse && this.#hasLearnt && margin !== null && margin < 0) return { guard: 'margin', value: margin }
    if (maxDelta > 0 && shift !== null && Math.abs(shift) > maxDelta) return { guard: 'delta', value: shift }
    return fall === null ? null : { guard: 'up_rate', value: fall }
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
