/** ‖a − b‖₂ / ‖b‖₂ */
export const relativeDistance = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  distance(a, b) / Math.max(norm(b), Number.MIN_VALUE)

/** ‖a − b‖₂ */
export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`)
  return norm(Float64Array.from(a, (value, i) => value - b[i]!))
}

/** ‖a‖₂ */
export function norm(a: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < a.length; i++) sum += a[i]! ** 2
  return Math.sqrt(sum)
}
