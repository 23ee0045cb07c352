import { BcodError } from '../errors.js'
import { dot, sigmoid, softplus } from './logistic.js'
import { addDiagonal, addOuters, cholesky, multiply, packedLength, solve } from './packed.js'

/**
 * f(θ) = ½ θᵀAθ − bᵀθ + Σᵢ sᵢ softplus(−yᵢ xᵢᵀθ), y = ±1: strictly convex if its Hessian is positive definite.
 * θ, b and every row have the same length n.
 */
export interface LogisticProblem {
  /** A, packed. */
  readonly quadratic: Float64Array
  readonly linear: Float64Array
  readonly rows: readonly Float64Array[]
  readonly labels: readonly boolean[]
  readonly scales: Float64Array
}

export interface NewtonOptions {
  /** Limit of Newton steps. */
  readonly iterations: number
  /** Stops when gᵀH⁻¹g, twice what a step can still gain, falls below it. */
  readonly tolerance: number
  /**
   * Conjugate-gradient steps that a factor serves in all before the Hessian is factored again, which should cost about
   * as much as they do; 0 factors at each iteration.
   */
  readonly staleSteps: number
}

export interface Minimum {
  readonly theta: Float64Array
  /** Cholesky factor of a Hessian met on the way: the preconditioner of the next solve. */
  readonly factor: Float64Array | null
  /** Conjugate-gradient steps that it has served. */
  readonly served: number
}

/** Of the residual of H d = g, in the norm of the preconditioner. */
const RELATIVE_RESIDUAL = 0.3

/** Goes towards the minimum of f by Newton's method with backtracking. The arguments are left as they are. */
export function minimise(problem: LogisticProblem, start: Minimum, options: NewtonOptions): Minimum {
  const point = pointAt(problem, start.theta)
  let { factor, served } = start
  for (let iteration = 0; iteration < options.iterations; iteration++) {
    const slope = linearise(problem, point)
    let direction: (Direction & { readonly steps?: number }) | null = null
    if (factor && served < options.staleSteps) {
      const z = solve(factor, slope.gradient)
      if (dot(slope.gradient, z) < options.tolerance) break
      direction = conjugateGradients(problem, slope, z, factor, options.staleSteps - served)
      served += direction?.steps ?? 0
    }
    if (!direction) {
      served = 0
      factor = factorHessian(problem, slope)
      const exact = solve(factor, slope.gradient)
      direction = { vector: exact, image: multiply(problem.quadratic, exact) }
    }
    const decrement = dot(slope.gradient, direction.vector)
    if (!(decrement > 0)) break
    const changes = Float64Array.from(problem.rows, (row) => dot(row, direction.vector))
    const step = stepLength(problem, point, slope, direction, changes, decrement)
    addScaled(point.theta, -step, direction.vector)
    addScaled(point.image, -step, direction.image)
    addScaled(point.margins, -step, changes)
    if (decrement < options.tolerance || step === 0) break
  }
  return { theta: point.theta, factor, served }
}

/** θ with Aθ and the margins xᵢᵀθ, which a step moves along: a pass over A is what takes the time. */
interface Point {
  readonly theta: Float64Array
  readonly image: Float64Array
  readonly margins: Float64Array
}

/** d with A d. */
interface Direction {
  readonly vector: Float64Array
  readonly image: Float64Array
}

interface Slope {
  readonly gradient: Float64Array
  /** sᵢ p (1 − p) of each row. */
  readonly curvatures: Float64Array
}

const pointAt = ({ quadratic, rows }: LogisticProblem, theta: Float64Array): Point => ({
  theta: theta.slice(),
  image: multiply(quadratic, theta),
  margins: Float64Array.from(rows, (row) => dot(row, theta)),
})

function linearise({ linear, rows, labels, scales }: LogisticProblem, { image, margins }: Point): Slope {
  const gradient = image.slice()
  addScaled(gradient, -1, linear)
  const curvatures = new Float64Array(rows.length)
  for (let i = 0; i < rows.length; i++) {
    const p = sigmoid(margins[i]!)
    curvatures[i] = scales[i]! * p * (1 - p)
    addScaled(gradient, scales[i]! * (labels[i] ? p - 1 : p), rows[i]!)
  }
  return { gradient, curvatures }
}

/**
 * Solves H d = g with the factor of an older Hessian as preconditioner; null if `limit` steps do not get there.
 *
 * @param first  the preconditioned gradient
 */
function conjugateGradients(
  { quadratic, rows }: LogisticProblem,
  { gradient, curvatures }: Slope,
  first: Float64Array,
  factor: Float64Array,
  limit: number,
): (Direction & { readonly steps: number }) | null {
  const vector = new Float64Array(gradient.length)
  const image = new Float64Array(gradient.length)
  const residual = gradient.slice()
  const conjugate = first.slice()
  let rz = dot(residual, first)
  const enough = rz * RELATIVE_RESIDUAL ** 2
  for (let step = 0; step < limit; step++) {
    const quadraticPart = multiply(quadratic, conjugate)
    const whole = quadraticPart.slice()
    for (let i = 0; i < rows.length; i++) addScaled(whole, curvatures[i]! * dot(rows[i]!, conjugate), rows[i]!)
    const length = rz / dot(conjugate, whole)
    addScaled(vector, length, conjugate)
    addScaled(image, length, quadraticPart)
    addScaled(residual, -length, whole)
    const z = solve(factor, residual)
    const next = dot(residual, z)
    if (next <= enough) return { vector, image, steps: step + 1 }
    const turn = next / rz
    for (let i = 0; i < conjugate.length; i++) conjugate[i] = z[i]! + turn * conjugate[i]!
    rz = next
  }
  return null
}

function factorHessian({ quadratic, rows }: LogisticProblem, { curvatures, gradient }: Slope): Float64Array {
  const size = gradient.length
  const hessian = quadratic.slice()
  addOuters(hessian, curvatures, rows)
  // Singular to working precision: a ridge that is small against each scale, grown until it holds.
  for (let ridge = 0; ridge < 1; ridge = Math.max(1e-12, 100 * ridge)) {
    const factor = cholesky(hessian, size)
    if (factor) return factor
    addDiagonal(hessian, (i) => Math.max(ridge * hessian[packedLength(i + 1) - 1]!, 1e-200), size)
  }
  throw new BcodError('INTERNAL', 'the curvature of the prompt classifier is not finite')
}

/** Halves the Newton step until f falls; 0 if rounding leaves nothing to gain. */
function stepLength(
  { labels, scales }: LogisticProblem,
  { margins }: Point,
  { gradient }: Slope,
  { vector, image }: Direction,
  changes: Float64Array,
  decrement: number,
): number {
  const bend = dot(vector, image)
  // The quadratic part has the slope of f less that of the rows.
  let slope = dot(gradient, vector)
  let before = 0
  for (let i = 0; i < margins.length; i++) {
    const y = labels[i] ? 1 : -1
    slope += scales[i]! * y * sigmoid(-y * margins[i]!) * changes[i]!
    before += scales[i]! * softplus(-y * margins[i]!)
  }
  for (let step = 1; step > 1e-6; step /= 2) {
    let change = -step * slope + 0.5 * step * step * bend - before
    for (let i = 0; i < margins.length; i++) {
      const y = labels[i] ? 1 : -1
      change += scales[i]! * softplus(-y * (margins[i]! - step * changes[i]!))
    }
    if (change <= -1e-4 * step * decrement + 1e-14 * before) return step
  }
  return 0
}

function addScaled(target: Float64Array, c: number, x: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i]! += c * x[i]!
}
