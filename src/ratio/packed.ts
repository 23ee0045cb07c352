/**
 * Symmetric and lower triangular matrices of size n as their lower triangle, row by row:
 * element (i, j ≤ i) is at i (i + 1) / 2 + j. Plain f64, in a fixed order of operations.
 */

/** Length of a packed matrix of size n. */
export const packedLength = (size: number): number => (size * (size + 1)) / 2

/** A ← A + Σₖ cₖ xₖ xₖᵀ; four of them and two rows of A at a time, so that what is loaded is used more than once. */
export function addOuters(a: Float64Array, c: ArrayLike<number>, x: readonly Float64Array[]): void {
  let k = 0
  for (; k + 3 < x.length; k += 4) addFourOuters(a, c, x, k)
  for (; k < x.length; k++) addOuter(a, c[k]!, x[k]!)
}

function addFourOuters(a: Float64Array, c: ArrayLike<number>, x: readonly Float64Array[], k: number): void {
  const x0 = x[k]!
  const x1 = x[k + 1]!
  const x2 = x[k + 2]!
  const x3 = x[k + 3]!
  const c0 = c[k]!
  const c1 = c[k + 1]!
  const c2 = c[k + 2]!
  const c3 = c[k + 3]!
  const size = x0.length
  const odd = size % 2
  if (odd === 1) a[0]! += c0 * x0[0]! ** 2 + c1 * x1[0]! ** 2 + (c2 * x2[0]! ** 2 + c3 * x3[0]! ** 2)
  for (let i = odd; i < size; i += 2) {
    const row = packedLength(i)
    const next = packedLength(i + 1)
    const f0 = c0 * x0[i]!
    const f1 = c1 * x1[i]!
    const f2 = c2 * x2[i]!
    const f3 = c3 * x3[i]!
    const g0 = c0 * x0[i + 1]!
    const g1 = c1 * x1[i + 1]!
    const g2 = c2 * x2[i + 1]!
    const g3 = c3 * x3[i + 1]!
    for (let j = 0; j <= i; j++) {
      const y0 = x0[j]!
      const y1 = x1[j]!
      const y2 = x2[j]!
      const y3 = x3[j]!
      a[row + j]! += f0 * y0 + f1 * y1 + (f2 * y2 + f3 * y3)
      a[next + j]! += g0 * y0 + g1 * y1 + (g2 * y2 + g3 * y3)
    }
    a[next + i + 1]! += g0 * x0[i + 1]! + g1 * x1[i + 1]! + (g2 * x2[i + 1]! + g3 * x3[i + 1]!)
  }
}

function addOuter(a: Float64Array, c: number, x: Float64Array): void {
  for (let i = 0, at = 0; i < x.length; at += ++i) {
    const factor = c * x[i]!
    for (let j = 0; j <= i; j++) a[at + j]! += factor * x[j]!
  }
}

/** A x, two rows at a time. */
export function multiply(a: Float64Array, x: Float64Array): Float64Array {
  const size = x.length
  const y = new Float64Array(size)
  let i = size % 2
  if (i === 1) y[0] = a[0]! * x[0]!
  for (; i < size; i += 2) {
    const row = packedLength(i)
    const next = packedLength(i + 1)
    const xi = x[i]!
    const xn = x[i + 1]!
    let s = 0
    let t = 0
    for (let j = 0; j < i; j++) {
      const aij = a[row + j]!
      const anj = a[next + j]!
      const xj = x[j]!
      s += aij * xj
      t += anj * xj
      y[j]! += aij * xi + anj * xn
    }
    const cross = a[next + i]!
    y[i]! += s + a[row + i]! * xi + cross * xn
    y[i + 1]! += t + cross * xi + a[next + i + 1]! * xn
  }
  return y
}

/** Adds to the diagonal. */
export function addDiagonal(a: Float64Array, diagonal: (i: number) => number, size: number): void {
  for (let i = 0; i < size; i++) a[packedLength(i + 1) - 1]! += diagonal(i)
}

/** The Cholesky factor L of a positive definite A = L Lᵀ; null if A is not, to working precision. */
export function cholesky(a: Float64Array, size: number): Float64Array | null {
  const l = new Float64Array(a.length)
  let i = 0
  for (; i + 1 < size; i += 2) if (!factorRows(l, a, i)) return null
  return i === size || factorRow(l, a, i, 0) ? l : null
}

/** Rows i and i + 1, which share what they load of the rows above. */
function factorRows(l: Float64Array, a: Float64Array, i: number): boolean {
  const row = packedLength(i)
  const next = packedLength(i + 1)
  for (let j = 0, other = 0; j < i; other += ++j) {
    let s0 = 0
    let s1 = 0
    let t0 = 0
    let t1 = 0
    let k = 0
    for (; k + 1 < j; k += 2) {
      const o0 = l[other + k]!
      const o1 = l[other + k + 1]!
      s0 += l[row + k]! * o0
      s1 += l[row + k + 1]! * o1
      t0 += l[next + k]! * o0
      t1 += l[next + k + 1]! * o1
    }
    if (k < j) {
      s0 += l[row + k]! * l[other + k]!
      t0 += l[next + k]! * l[other + k]!
    }
    const pivot = l[other + j]!
    l[row + j] = (a[row + j]! - (s0 + s1)) / pivot
    l[next + j] = (a[next + j]! - (t0 + t1)) / pivot
  }
  return factorRow(l, a, i, i) && factorRow(l, a, i + 1, i)
}

/** Row i from column `from` on. */
function factorRow(l: Float64Array, a: Float64Array, i: number, from: number): boolean {
  const row = packedLength(i)
  for (let j = from; j < i; j++) {
    const other = packedLength(j)
    l[row + j] = (a[row + j]! - dotAt(l, row, l, other, j)) / l[other + j]!
  }
  const rest = a[row + i]! - dotAt(l, row, l, row, i)
  if (!(rest > EPSILON * a[row + i]!)) return false
  l[row + i] = Math.sqrt(rest)
  return true
}

/** x with L Lᵀ x = b. */
export function solve(l: Float64Array, b: Float64Array): Float64Array {
  const x = b.slice()
  const size = b.length
  for (let i = 0, row = 0; i < size; row += ++i) {
    x[i] = (x[i]! - dotAt(l, row, x, 0, i)) / l[row + i]!
  }
  let i = size - 1
  for (; i > 0; i -= 2) {
    const row = packedLength(i)
    const above = packedLength(i - 1)
    const xi = x[i]! / l[row + i]!
    const xa = (x[i - 1]! - l[row + i - 1]! * xi) / l[above + i - 1]!
    x[i] = xi
    x[i - 1] = xa
    for (let j = 0; j < i - 1; j++) x[j]! -= l[row + j]! * xi + l[above + j]! * xa
  }
  if (i === 0) x[0]! /= l[0]!
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
