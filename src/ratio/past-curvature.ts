import { dot, sigmoid } from './logistic.js'
import { addOuters, packedLength } from './packed.js'

/** One event that has been learnt from, [width + 1], the last element 1. */
export interface PastEvent {
  readonly row: Float64Array
  readonly label: boolean
  /** a λ^age. */
  readonly weight: number
}

/** Below it the sums are written out again, far from where f64 ends. */
const MIN_GAIN = 1e-100

/**
 * What is kept of the older events of one class: Σ λ^age a ℓᵢ(θ) as the quadratic ½ θᵀHθ − bᵀθ + const, each event
 * taken at the θ of the moment when it left the recent ones. H and b are `gain` times what is stored, so that
 * forgetting is one multiplication.
 */
export class PastCurvature {
  gain = 1
  /** Packed. */
  curvature: Float64Array
  linear: Float64Array

  constructor(size: number) {
    this.curvature = new Float64Array(packedLength(size))
    this.linear = new Float64Array(size)
  }

  /** ℓ ≈ ℓ(θ) + g xᵀ(· − θ) + ½ v (xᵀ(· − θ))², g = p − y, v = p (1 − p). */
  add(events: readonly PastEvent[], theta: Float64Array): void {
    const bends = events.map(({ row, label, weight }) => {
      const margin = dot(row, theta)
      const p = sigmoid(margin)
      const bend = p * (1 - p)
      const pull = (weight / this.gain) * (bend * margin - (label ? p - 1 : p))
      for (let i = 0; i < row.length; i++) this.linear[i]! += pull * row[i]!
      return (weight / this.gain) * bend
    })
    addOuters(
      this.curvature,
      bends,
      events.map(({ row }) => row),
    )
  }

  forget(keep: number): void {
    this.gain *= keep
    if (this.gain > MIN_GAIN) return
    for (const sums of [this.curvature, this.linear]) for (let i = 0; i < sums.length; i++) sums[i]! *= this.gain
    this.gain = 1
  }
}
