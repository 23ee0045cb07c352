import { dot, sigmoid } from './logistic.js'
import { addOuter, packedLength } from './packed.js'

/**
 * What is kept of the older events of one class: Σ λ^age a ℓᵢ(θ) as the quadratic ½ θᵀHθ − bᵀθ + const, each event
 * taken at the θ of the moment when it left the recent ones.
 */
export class PastCurvature {
  /** H, packed. */
  curvature: Float64Array
  linear: Float64Array

  constructor(size: number) {
    this.curvature = new Float64Array(packedLength(size))
    this.linear = new Float64Array(size)
  }

  /** ℓ ≈ ℓ(θ) + g xᵀ(· − θ) + ½ v (xᵀ(· − θ))², g = p − y, v = p (1 − p). */
  add(row: Float64Array, label: boolean, weight: number, theta: Float64Array): void {
    const margin = dot(row, theta)
    const p = sigmoid(margin)
    const bend = p * (1 - p)
    addOuter(this.curvature, weight * bend, row)
    const pull = weight * (bend * margin - (label ? p - 1 : p))
    for (let i = 0; i < row.length; i++) this.linear[i]! += pull * row[i]!
  }

  forget(keep: number): void {
    for (let i = 0; i < this.curvature.length; i++) this.curvature[i]! *= keep
    for (let i = 0; i < this.linear.length; i++) this.linear[i]! *= keep
  }
}
