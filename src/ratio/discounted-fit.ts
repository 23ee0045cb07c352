import { FeatureScale } from './feature-scale.js'
import { dot } from './logistic.js'
import { type LogisticProblem, type Minimum, minimise } from './newton.js'
import { addDiagonal, packedLength } from './packed.js'
import { PastCurvature } from './past-curvature.js'
import type { RecentEvent } from './recent-events.js'
import { readTensor, type SavedTensors } from './tensors.js'

/** Where a step could gain less, well below what one event can tell of one coefficient, none is taken. */
const TOLERANCE_PER_COEFFICIENT = 1e-3
/** So many conjugate-gradient steps cost what a new factor does. Measured at a width of 256. */
const STALE_STEPS = 24
/** Below this discounted mass a class is no longer known. */
const MIN_MASS = 1e-9
/** θ moves when this share of what is remembered is new, and at least every 32 events. */
const NEW_SHARE = 1 / 32
const MAX_WAIT = 32

interface ClassPast {
  /** N_c: Σ λ^age a. */
  mass: number
  readonly past: PastCurvature
}

/**
 * Class-balanced logistic regression at one half-life (docs/adr/007): the minimum of
 *
 *     ½ ‖θ‖² + C Σ_c N/(2 N_c) Σ_{i∈c} λ^ageᵢ aᵢ ℓᵢ(θ),   N = N₊ + N₋ discounted, the prior not, the intercept free
 *
 * where ‖θ‖ is over coefficients of standardised features. The recent events enter exactly, older ones through a
 * quadratic per class. One preconditioned Newton step from the last θ follows the minimum as it moves: there is no
 * learning rate. Everything is kept in coordinates of the features themselves: standardisation enters through the prior
 * alone, so that nothing has to be transformed when it moves.
 */
export class DiscountedFit {
  private readonly keepPerEvent: number
  private readonly scale: FeatureScale
  private readonly up: ClassPast
  private readonly down: ClassPast
  private minimum: Minimum
  /** Events since θ moved. */
  private unsolved = 0

  /**
   * @param size      width of the features and 1 for the intercept
   * @param halfLife  in events
   * @param c         C of the objective
   */
  constructor(
    private readonly size: number,
    halfLife: number,
    private readonly c: number,
  ) {
    this.keepPerEvent = 2 ** (-1 / halfLife)
    this.scale = new FeatureScale(size - 1)
    this.minimum = { theta: new Float64Array(size), factor: null, served: 0 }
    this.up = { mass: 0, past: new PastCurvature(size) }
    this.down = { mass: 0, past: new PastCurvature(size) }
  }

  /** Whether both classes are still remembered. */
  get known(): boolean {
    return this.up.mass > MIN_MASS && this.down.mass > MIN_MASS
  }

  /** log p(1|x) / p(0|x), [width + 1] in. */
  logit(row: Float64Array): number {
    return this.known ? dot(row, this.minimum.theta) : 0
  }

  /** What is remembered of an event that came `age` events ago. */
  memory(age: number): number {
    return this.keepPerEvent ** age
  }

  /** Counts the events of one step, which all have the same age. */
  observe(events: readonly RecentEvent[]): void {
    const keep = this.memory(events.length)
    this.scale.forget(keep)
    for (const { past } of [this.up, this.down]) past.forget(keep)
    this.up.mass *= keep
    this.down.mass *= keep
    for (const { row, label, weight } of events) {
      this.#of(label).mass += weight
      this.scale.add(row, weight)
    }
    this.unsolved += events.length
  }

  /** Takes events that are no longer recent into the quadratics. */
  fold(events: readonly RecentEvent[], now: number): void {
    const past = events.map(({ row, label, weight, at }) => ({ row, label, weight: weight * this.memory(now - at) }))
    for (const label of [true, false])
      this.#of(label).past.add(
        past.filter((event) => event.label === label),
        this.minimum.theta,
      )
  }

  /** Whether enough is new for θ to move. */
  get due(): boolean {
    return this.known && this.unsolved >= Math.min(MAX_WAIT, NEW_SHARE * (this.up.mass + this.down.mass))
  }

  /** Moves θ towards the minimum of today's objective. */
  solve(recent: readonly RecentEvent[], now: number): void {
    this.unsolved = 0
    this.minimum = minimise(this.problem(recent, now), this.minimum, {
      tolerance: TOLERANCE_PER_COEFFICIENT * this.size,
      staleSteps: STALE_STEPS,
      iterations: 1,
    })
  }

  /** The objective of today, in coordinates of the features. */
  private problem(recent: readonly RecentEvent[], now: number): LogisticProblem {
    const mass = this.up.mass + this.down.mass
    const up = (this.c * mass) / (2 * this.up.mass)
    const down = (this.c * mass) / (2 * this.down.mass)
    const [upGain, downGain] = [up * this.up.past.gain, down * this.down.past.gain]
    const quadratic = combine(upGain, this.up.past.curvature, downGain, this.down.past.curvature)
    addDiagonal(quadratic, (i) => this.scale.precision(i), this.size - 1)
    return {
      quadratic,
      linear: combine(upGain, this.up.past.linear, downGain, this.down.past.linear),
      rows: recent.map(({ row }) => row),
      labels: recent.map(({ label }) => label),
      scales: Float64Array.from(
        recent,
        ({ label, weight, at }) => (label ? up : down) * weight * this.memory(now - at),
      ),
    }
  }

  tensors(): SavedTensors {
    const { up, down, scale, minimum } = this
    return {
      theta: minimum.theta.slice(),
      factor: minimum.factor?.slice() ?? new Float64Array(0),
      masses: Float64Array.of(
        up.mass,
        up.past.gain,
        down.mass,
        down.past.gain,
        scale.mass,
        this.unsolved,
        minimum.served,
      ),
      mean: scale.mean.slice(),
      squares: scale.squares.slice(),
      upCurvature: up.past.curvature.slice(),
      upLinear: up.past.linear.slice(),
      downCurvature: down.past.curvature.slice(),
      downLinear: down.past.linear.slice(),
    }
  }

  restore(tensors: SavedTensors): void {
    const { size, up, down, scale } = this
    const read = (name: string, length: number) => readTensor(tensors, name, length)
    const factor = readTensor(tensors, 'factor')
    const masses = read('masses', 7)
    this.minimum = { theta: read('theta', size), factor: factor.length > 0 ? factor : null, served: masses[6]! }
    up.mass = masses[0]!
    up.past.gain = masses[1]!
    down.mass = masses[2]!
    down.past.gain = masses[3]!
    scale.mass = masses[4]!
    this.unsolved = masses[5]!
    scale.mean = read('mean', size - 1)
    scale.squares = read('squares', size - 1)
    up.past.curvature = read('upCurvature', packedLength(size))
    up.past.linear = read('upLinear', size)
    down.past.curvature = read('downCurvature', packedLength(size))
    down.past.linear = read('downLinear', size)
  }

  #of(label: boolean): ClassPast {
    return label ? this.up : this.down
  }
}

/** c a + d b. */
function combine(c: number, a: Float64Array, d: number, b: Float64Array): Float64Array {
  const sum = new Float64Array(a.length)
  for (let i = 0; i < sum.length; i++) sum[i] = c * a[i]! + d * b[i]!
  return sum
}
