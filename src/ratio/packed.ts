/**
 * Symmetric and lower triangular matrices of size n as their lower triangle, row by row:
 * element (i, j ≤ i) is at i (i + 1) / 2 + j. Plain f64, in a fixed order of operations.
 */

/** Length of a packed matrix of size n. */
export const packedLength = (size: number): number => (size * (size + 1)) / 2

/** A ← A + c x xᵀ. */
export function addOuter(a: Float64Array, c: number, x: Float64Array): void {
  let at = 0
  for (let i = 0; i < x.length; i++) {
    const factor = c * x[i]!
    for (let j = 0; j <= i; j++) a[at + j]! += factor * x[j]!
    at += i + 1
  }
}

/** A x. */
export function multiply(a: Float64Array, x: Float64Array): Float64Array {
  const y = new Float64Array(x.length)
  let at = 0
  for (let i = 0; i < x.length; i++) {
    const xi = x[i]!
    let sum = 0
    for (let j = 0; j < i; j++) {
      const aij = a[at + j]!
      sum += aij * x[j]!
      y[j]! += aij * xi
    }
    y[i]! += sum + a[at + i]! * xi
    at += i + 1
  }
  return y
}

/** Adds a constant to the diagonal. */
export function addDiagonal(a: Float64Array, diagonal: (i: number) => number, size: number): void {
  for (let i = 0; i < size; i++) a[packedLength(i + 1) - 1]! += diagonal(i)
}

/** The Cholesky factor L of a positive definite A = L Lᵀ; null where A is not, to working precision. */
export function cholesky(a: Float64Array, size: number): Float64Array | null {
  const l = new Float64Array(a.length)
  for (let i = 0, row = 0; i < size; row += ++i) {
    for (let j = 0, other = 0; j <= i; other += ++j) {
      const rest = a[row + j]! - dotAt(l, row, l, other, j)
      if (j < i) l[row + j] = rest / l[other + j]!
      else if (rest > EPSILON * a[row + i]!) l[row + i] = Math.sqrt(rest)
      else return null
    }
  }
  return l
}

/** x with L Lᵀ x = b. */
export function solve(l: Float64Array, b: Float64Array): Float64Array {
  const x = b.slice()
  const size = b.length
  for (let i = 0, row = 0; i < size; row += ++i) {
    x[i] = (x[i]! - dotAt(l, row, x, 0, i)) / l[row + i]!
  }
  for (let i = size - 1; i >= 0; i--) {
    const row = packedLength(i)
    const xi = x[i]! / l[row + i]!
    x[i] = xi
    for (let j = 0; j < i; j++) x[j]! -= l[row + j]! * xi
  }
  return x
}

/** A pivot below this share of its diagonal element is rounding error. */
const EPSILON = 1e-13

/** Dot product of `length` elements from a[i] and from b[j]; four sums, so that additions overlap. */
function dotAt(a: Float64Array, i: number, b: Float64Array, j: number, length: number): number {
  let s0 = 0
  let s1 = 0
  let s2 = 0
  let s3 = 0
  let k = 0
  for (; k + 3 < length; k += 4) {
    s0 += a[i + k]! * b[j + k]!
    s1 += a[i + k + 1]! * b[j + k + 1]!
    s2 += a[i + k + 2]! * b[j + k + 2]!
    s3 += a[i + k + 3]! * b[j + k + 3]!
  }
  for (; k < length; k++) s0 += a[i + k]! * b[j + k]!
  return s0 + s1 + (s2 + s3)
}
