/** A variance below this share of the second moment is taken for a constant feature. */
const CONSTANT = 1e-8

/** Discounted mean and variance of each feature (West's weighted update). */
export class FeatureScale {
  mass = 0
  mean: Float64Array
  /** Σ λ^age a (x − mean)². */
  squares: Float64Array

  constructor(width: number) {
    this.mean = new Float64Array(width)
    this.squares = new Float64Array(width)
  }

  add(row: Float64Array, weight: number): void {
    if (weight === 0) return
    this.mass += weight
    for (let i = 0; i < this.mean.length; i++) {
      const difference = row[i]! - this.mean[i]!
      this.mean[i]! += (weight / this.mass) * difference
      this.squares[i]! += weight * difference * (row[i]! - this.mean[i]!)
    }
  }

  forget(keep: number): void {
    this.mass *= keep
    for (let i = 0; i < this.squares.length; i++) this.squares[i]! *= keep
  }

  /**
   * σ²: the precision that a standard normal prior on the coefficient of the standardised feature puts on that of the
   * feature itself. A constant feature gets its square, so that the free intercept takes its part.
   */
  precision(i: number): number {
    const variance = this.squares[i]! / this.mass
    const square = this.mean[i]! ** 2 + variance
    if (variance > CONSTANT * square) return variance
    return square > 0 ? square : 1
  }
}
