import { BcodError } from '../errors.js'
import type { Serializable } from '../events/types.js'

/** The events of one step as the shift sees them; arrays of equal length. */
export interface RewardedStep {
  /** Implicit rewards r = β (logπθ − logπref). */
  readonly rewards: ArrayLike<number>
  /** true = thumbs-up. */
  readonly labels: readonly boolean[]
  /** The events' own weights a, not the density ratios. */
  readonly weights: ArrayLike<number>
}

/**
 * The reward shift δ, a constant to the gradient. Evaluation never moves it; `update` is called once for a step,
 * after it is applied, and only with finite rewards (INTERNAL otherwise, state unchanged).
 */
export interface RewardShift<S = unknown> extends Serializable<S> {
  /** Whether δ depends on the step's own rewards, so that they must be known before the losses. */
  readonly needsRewards: boolean
  /** δ before the next step's own rewards. */
  readonly current: number
  /** The δ that this step's losses use. Changes nothing. */
  delta(step: RewardedStep): number
  update(step: RewardedStep): void
}

export interface ClassBalancedShiftState {
  readonly upSum: number
  readonly upMass: number
  readonly downSum: number
  readonly downMass: number
}

/**
 * Exponential moving average of the mean implicit reward of each class (`bco.mode = paper`).
 * δ = ½ (m₊ + m₋) (BCO, arXiv 2404.04656, eq. 7); 0 until both classes have been seen.
 * For n events of a class in a step: λ = 2^(−n/h), S ← λS + (1−λ) r̄, W ← λW + (1−λ), m = S/W.
 * A step uses the δ from before it.
 */
export class ClassBalancedShift implements RewardShift<ClassBalancedShiftState> {
  readonly needsRewards = false
  private up = new MovingMean()
  private down = new MovingMean()

  /** @param halfLife in events of one class */
  constructor(private readonly halfLife: number) {
    if (!(halfLife > 0 && Number.isFinite(halfLife))) throw new BcodError('INTERNAL', 'half-life of δ is not positive')
  }

  get current(): number {
    return this.up.mass > 0 && this.down.mass > 0 ? 0.5 * (this.up.value + this.down.value) : 0
  }

  delta(): number {
    return this.current
  }

  update({ rewards, labels, weights }: RewardedStep): void {
    refuseNonFinite(rewards)
    for (const label of [true, false]) {
      let events = 0
      let mass = 0
      let sum = 0
      labels.forEach((itsLabel, i) => {
        if (itsLabel !== label) return
        events += 1
        mass += weights[i]!
        sum += weights[i]! * rewards[i]!
      })
      if (mass > 0) (label ? this.up : this.down).absorb(sum / mass, events / this.halfLife)
    }
  }

  snapshot(): ClassBalancedShiftState {
    return { upSum: this.up.sum, upMass: this.up.mass, downSum: this.down.sum, downMass: this.down.mass }
  }

  restore(state: ClassBalancedShiftState): void {
    this.up = new MovingMean(state.upSum, state.upMass)
    this.down = new MovingMean(state.downSum, state.downMass)
  }
}

export interface PooledMeanShiftState {
  readonly mean: number
  readonly count: number
}

/**
 * Running mean of the pooled rewards of all events, the present step included (`bco.mode = trl`).
 * TRL 1.13.0 `RunningMoments.update`: the merge of Chan et al. from a count of 1e-24, in f32 terms that are added to
 * an f64 mean; δ is that mean in f32. Weights are ignored, as TRL does.
 */
export class PooledMeanShift implements RewardShift<PooledMeanShiftState> {
  readonly needsRewards = true
  private mean = 0
  private count = 1e-24

  get current(): number {
    return Math.fround(this.mean)
  }

  delta(step: RewardedStep): number {
    return Math.fround(this.merged(step).mean)
  }

  update(step: RewardedStep): void {
    refuseNonFinite(step.rewards)
    const { mean, count } = this.merged(step)
    this.mean = mean
    this.count = count
  }

  private merged({ rewards }: RewardedStep): PooledMeanShiftState {
    const n = rewards.length
    if (n === 0) return { mean: this.mean, count: this.count }
    let sum = 0
    for (let i = 0; i < n; i++) sum += rewards[i]!
    const count = this.count + n
    const difference = Math.fround(Math.fround(sum / n) - Math.fround(this.mean))
    const moved = Math.fround(Math.fround(difference * n) / Math.fround(count))
    return { mean: this.mean + moved, count }
  }

  snapshot(): PooledMeanShiftState {
    return { mean: this.mean, count: this.count }
  }

  restore(state: PooledMeanShiftState): void {
    this.mean = state.mean
    this.count = state.count
  }
}

/** S and W of one class; their quotient is free of the bias of a start at 0. */
class MovingMean {
  constructor(
    public sum = 0,
    public mass = 0,
  ) {}

  get value(): number {
    return this.sum / this.mass
  }

  /** @param halfLives how many half-lives pass with this mean */
  absorb(mean: number, halfLives: number): void {
    const gain = -Math.expm1(-Math.LN2 * halfLives)
    this.sum += gain * (mean - this.sum)
    this.mass += gain * (1 - this.mass)
  }
}

function refuseNonFinite(rewards: ArrayLike<number>): void {
  for (let i = 0; i < rewards.length; i++) {
    if (!Number.isFinite(rewards[i]!)) throw new BcodError('INTERNAL', 'a non-finite reward reached the reward shift')
  }
}
