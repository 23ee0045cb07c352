import { softplus } from './logistic.js'
import { readTensor, type SavedTensors } from './tensors.js'

/** What the logits of a fit may be multiplied with. 0 is chance; above 1 are fits that the prior holds back. */
const SLOPES = [0, 0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3]
/** Fixed share (Herbster and Warmuth): weight redistributed uniformly at each event, so that no fit's weight vanishes. */
const SHARE = 2e-4
/** Half-life of the class masses, in events. */
const HALF_LIFE = 512
const KEEP = 2 ** (-1 / HALF_LIFE)

/**
 * How far each of several fits can be trusted, by the losses of what they predicted before each label was known: a
 * fixed-share mixture (Herbster and Warmuth, Machine Learning 1998) over fits and slopes. What is used is the mean
 * logit under its weights. It begins with all weight on chance, so that logits are blended in as they prove
 * themselves, and goes back there when they no longer say anything.
 *
 * An event counts with 2 N_other / N, N of the recent past: both classes have the same say, and together as much as
 * there is evidence.
 */
export class Mixture {
  /** [fits × slopes], sums to 1. */
  private weights: Float64Array
  private up = 0
  private down = 0

  constructor(private readonly fits: number) {
    this.weights = new Float64Array(fits * SLOPES.length)
    for (let k = 0; k < fits; k++) this.weights[k * SLOPES.length] = 1 / fits
  }

  /** What the logit of each fit is multiplied with: Σ weight × slope. */
  trusts(): Float64Array {
    const trusts = new Float64Array(this.fits)
    for (let at = 0; at < this.weights.length; at++)
      trusts[Math.floor(at / SLOPES.length)]! += this.weights[at]! * SLOPES[at % SLOPES.length]!
    return trusts
  }

  /** @param logits  of each fit, before the event was learnt */
  add(logits: ArrayLike<number>, label: boolean, weight: number): void {
    if (weight === 0) return
    this.up *= KEEP
    this.down *= KEEP
    if (label) this.up += weight
    else this.down += weight
    const say = (2 * weight * (label ? this.down : this.up)) / (this.up + this.down)
    const { weights } = this
    let sum = 0
    for (let at = 0; at < weights.length; at++) {
      const logit = logits[Math.floor(at / SLOPES.length)]!
      const margin = SLOPES[at % SLOPES.length]! * (label ? logit : -logit)
      // against chance, so that nothing vanishes for all
      weights[at]! *= Math.exp(-say * (softplus(-margin) - Math.LN2))
      sum += weights[at]!
    }
    for (let at = 0; at < weights.length; at++) {
      weights[at] = ((1 - SHARE) * weights[at]!) / sum + SHARE / weights.length
    }
  }

  tensors(): SavedTensors {
    return { weights: this.weights.slice(), masses: Float64Array.of(this.up, this.down) }
  }

  restore(tensors: SavedTensors): void {
    this.weights = readTensor(tensors, 'weights', this.weights.length)
    const masses = readTensor(tensors, 'masses', 2)
    this.up = masses[0]!
    this.down = masses[1]!
  }
}
