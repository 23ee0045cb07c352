import { FeatureScale } from './feature-scale.js'
import type { LogisticProblem, Minimum } from './newton.js'
import { addDiagonal, packedLength } from './packed.js'
import { PastCurvature } from './past-curvature.js'
import type { Projection } from './projection.js'
import { packRows, readTensor, type Tensors, unpackRows } from './tensors.js'

/** The last events are kept as they are; older ones as curvature. */
const RECENT = 64

interface Recent {
  readonly row: Float64Array
  readonly label: boolean
  /** a λ^age. */
  weight: number
}

interface ClassState {
  /** Events, never discounted. */
  seen: number
  /** N_c: Σ λ^age a. */
  mass: number
  readonly past: PastCurvature
}

/** What has been seen, discounted, and the minimum found last; of one width of embedding. */
export class ClassifierHistory {
  readonly size: number
  readonly scale: FeatureScale
  minimum: Minimum
  private readonly up: ClassState
  private readonly down: ClassState
  private recent: Recent[] = []

  constructor(readonly projection: Projection) {
    this.size = projection.width + 1
    this.scale = new FeatureScale(projection.width)
    this.minimum = { theta: new Float64Array(this.size), factor: null }
    this.up = { seen: 0, mass: 0, past: new PastCurvature(this.size) }
    this.down = { seen: 0, mass: 0, past: new PastCurvature(this.size) }
  }

  of(label: boolean): ClassState {
    return label ? this.up : this.down
  }

  forget(keep: number): void {
    if (keep === 1) return
    this.scale.forget(keep)
    for (const class_ of [this.up, this.down]) {
      class_.mass *= keep
      class_.past.forget(keep)
    }
    for (const event of this.recent) event.weight *= keep
  }

  add(event: Recent): void {
    const class_ = this.of(event.label)
    class_.seen += 1
    class_.mass += event.weight
    this.scale.add(event.row, event.weight)
    this.recent.push(event)
    if (this.recent.length <= RECENT) return
    const { row, label, weight } = this.recent.shift()!
    this.of(label).past.add(row, label, weight, this.minimum.theta)
  }

  /** The objective of today, in coordinates of the features. */
  problem(c: number): LogisticProblem {
    const mass = this.up.mass + this.down.mass
    const up = (c * mass) / (2 * this.up.mass)
    const down = (c * mass) / (2 * this.down.mass)
    const quadratic = combine(up, this.up.past.curvature, down, this.down.past.curvature)
    addDiagonal(quadratic, (i) => this.scale.precision(i), this.projection.width)
    return {
      quadratic,
      linear: combine(up, this.up.past.linear, down, this.down.past.linear),
      rows: this.recent.map(({ row }) => row),
      labels: this.recent.map(({ label }) => label),
      scales: Float64Array.from(this.recent, ({ label, weight }) => (label ? up : down) * weight),
    }
  }

  tensors(): Tensors {
    return {
      inputWidth: Float64Array.of(this.projection.inputWidth),
      theta: this.minimum.theta.slice(),
      factor: this.minimum.factor?.slice() ?? new Float64Array(0),
      counts: Float64Array.of(this.up.seen, this.up.mass, this.down.seen, this.down.mass, this.scale.mass),
      mean: this.scale.mean.slice(),
      squares: this.scale.squares.slice(),
      upCurvature: this.up.past.curvature.slice(),
      upLinear: this.up.past.linear.slice(),
      downCurvature: this.down.past.curvature.slice(),
      downLinear: this.down.past.linear.slice(),
      recentRows: packRows(
        this.recent.map(({ row }) => row),
        this.size,
      ),
      recentLabels: Float64Array.from(this.recent, ({ label }) => (label ? 1 : 0)),
      recentWeights: Float64Array.from(this.recent, ({ weight }) => weight),
    }
  }

  restore(tensors: Tensors): void {
    const read = (name: string, length: number) => readTensor(tensors, name, length)
    const { size } = this
    const factor = readTensor(tensors, 'factor')
    this.minimum = { theta: read('theta', size), factor: factor.length > 0 ? factor : null }
    const counts = read('counts', 5)
    this.up.seen = counts[0]!
    this.up.mass = counts[1]!
    this.down.seen = counts[2]!
    this.down.mass = counts[3]!
    this.scale.mass = counts[4]!
    this.scale.mean = read('mean', size - 1)
    this.scale.squares = read('squares', size - 1)
    this.up.past.curvature = read('upCurvature', packedLength(size))
    this.up.past.linear = read('upLinear', size)
    this.down.past.curvature = read('downCurvature', packedLength(size))
    this.down.past.linear = read('downLinear', size)
    const labels = readTensor(tensors, 'recentLabels')
    const weights = read('recentWeights', labels.length)
    const rows = unpackRows(read('recentRows', labels.length * size), size)
    this.recent = Array.from(labels, (label, i) => ({
      row: rows[i]!,
      label: label === 1,
      weight: weights[i]!,
    }))
  }
}

/** c a + d b. */
function combine(c: number, a: Float64Array, d: number, b: Float64Array): Float64Array {
  const sum = new Float64Array(a.length)
  for (let i = 0; i < a.length; i++) sum[i] = c * a[i]! + d * b[i]!
  return sum
}
