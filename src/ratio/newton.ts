import { BcodError } from '../errors.js'
import { dot, sigmoid, softplus } from './logistic.js'
import { addDiagonal, addOuter, cholesky, multiply, packedLength, solve } from './packed.js'

/**
 * f(θ) = ½ θᵀAθ − bᵀθ + Σᵢ sᵢ softplus(−yᵢ xᵢᵀθ), y = ±1: strictly convex where its Hessian is positive definite.
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
  /** Stops when gᵀH⁻¹g, twice what a step can still gain, falls below it. */
  readonly tolerance: number
  /** Conjugate-gradient steps that a stale factor may take before the Hessian is factored anew; 0 always factors. */
  readonly staleSteps: number
}

export interface Minimum {
  readonly theta: Float64Array
  /** Cholesky factor of a Hessian met on the way: the preconditioner of the next solve. */
  readonly factor: Float64Array | null
}

/** Minimises f by Newton's method with backtracking, from `theta`. The arguments are left as they are. */
export function minimise(problem: LogisticProblem, start: Minimum, options: NewtonOptions): Minimum {
  const theta = start.theta.slice()
  let factor = start.factor
  for (let iteration = 0; iteration < MAX_ITERATIONS; iteration++) {
    const here = linearise(problem, theta)
    if (factor && options.staleSteps > 0 && dot(here.gradient, solve(factor, here.gradient)) < options.tolerance) break
    let direction = factor && conjugateGradients(problem, here, factor, options.staleSteps)
    if (!direction) {
      factor = factorHessian(problem, here)
      direction = solve(factor, here.gradient)
    }
    const decrement = dot(here.gradient, direction)
    if (!(decrement > 0)) break
    const step = stepLength(problem, here, direction, decrement)
    for (let i = 0; i < theta.length; i++) theta[i]! -= step * direction[i]!
    if (decrement < options.tolerance || step === 0) break
  }
  return { theta, factor }
}

const MAX_ITERATIONS = 60
/** Of the residual of H d = g, in the norm of the preconditioner. */
const RELATIVE_RESIDUAL = 0.1

interface Linearisation {
  readonly margins: Float64Array
  readonly gradient: Float64Array
  /** sᵢ p (1 − p) of each row. */
  readonly curvatures: Float64Array
}

function linearise({ quadratic, linear, rows, labels, scales }: LogisticProblem, theta: Float64Array): Linearisation {
  const gradient = multiply(quadratic, theta)
  for (let i = 0; i < gradient.length; i++) gradient[i]! -= linear[i]!
  const margins = new Float64Array(rows.length)
  const curvatures = new Float64Array(rows.length)
  rows.forEach((row, i) => {
    margins[i] = dot(row, theta)
    const p = sigmoid(margins[i]!)
    curvatures[i] = scales[i]! * p * (1 - p)
    addScaled(gradient, scales[i]! * (labels[i] ? p - 1 : p), row)
  })
  return { margins, gradient, curvatures }
}

/** Solves H d = g with the factor of an older Hessian as preconditioner; null where `limit` steps do not get there. */
function conjugateGradients(
  problem: LogisticProblem,
  { gradient, curvatures }: Linearisation,
  factor: Float64Array,
  limit: number,
): Float64Array | null {
  const solution = new Float64Array(gradient.length)
  const residual = gradient.slice()
  let z = solve(factor, residual)
  const direction = z.slice()
  let rz = dot(residual, z)
  const enough = rz * RELATIVE_RESIDUAL ** 2
  for (let step = 0; step < limit; step++) {
    const image = multiply(problem.quadratic, direction)
    problem.rows.forEach((row, i) => {
      addScaled(image, curvatures[i]! * dot(row, direction), row)
    })
    const length = rz / dot(direction, image)
    addScaled(solution, length, direction)
    addScaled(residual, -length, image)
    z = solve(factor, residual)
    const next = dot(residual, z)
    if (next <= enough) return solution
    const turn = next / rz
    for (let i = 0; i < direction.length; i++) direction[i] = z[i]! + turn * direction[i]!
    rz = next
  }
  return null
}

function factorHessian({ quadratic, rows }: LogisticProblem, { curvatures, gradient }: Linearisation): Float64Array {
  const size = gradient.length
  const hessian = quadratic.slice()
  rows.forEach((row, i) => {
    addOuter(hessian, curvatures[i]!, row)
  })
  // Singular to working precision: a ridge that is small against each scale, grown until it holds.
  for (let ridge = 0; ridge < 1; ridge = Math.max(1e-12, 100 * ridge)) {
    const factor = cholesky(hessian, size)
    if (factor) return factor
    addDiagonal(hessian, (i) => Math.max(ridge * hessian[packedLength(i + 1) - 1]!, 1e-200), size)
  }
  throw new BcodError('INTERNAL', 'the curvature of the prompt classifier is not finite')
}

/** Halves the Newton step until f falls; 0 where rounding leaves nothing to gain. */
function stepLength(
  { quadratic, labels, scales, rows }: LogisticProblem,
  { margins, gradient }: Linearisation,
  direction: Float64Array,
  decrement: number,
): number {
  const changes = Float64Array.from(rows, (row) => dot(row, direction))
  const bend = dot(direction, multiply(quadratic, direction))
  // The quadratic part has the slope of f less that of the rows.
  let slope = dot(gradient, direction)
  let before = 0
  rows.forEach((_, i) => {
    const y = labels[i] ? 1 : -1
    slope += scales[i]! * y * sigmoid(-y * margins[i]!) * changes[i]!
    before += scales[i]! * softplus(-y * margins[i]!)
  })
  for (let step = 1; step > 1e-6; step /= 2) {
    let change = -step * slope + 0.5 * step * step * bend - before
    rows.forEach((_, i) => {
      const y = labels[i] ? 1 : -1
      change += scales[i]! * softplus(-y * (margins[i]! - step * changes[i]!))
    })
    if (change <= -1e-4 * step * decrement + 1e-14 * before) return step
  }
  return 0
}

function addScaled(target: Float64Array, c: number, x: Float64Array): void {
  for (let i = 0; i < target.length; i++) target[i]! += c * x[i]!
}
