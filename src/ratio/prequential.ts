import { softplus } from './logistic.js'

/** Slopes tried on the logits: 0, 0.1, …, 1. */
const SLOPES = 10
/** Half-life of the record, in events of one class. */
const HALF_LIFE = 256
const KEEP = 2 ** (-1 / HALF_LIFE)

/**
 * The record of predictions made before their labels were known: balanced log-loss ½ (mean₊ + mean₋), moving.
 * It also tells how far the logits can be trusted: `slope` is the multiple of them, 0 to 1, which would have had the
 * lowest loss. Logits that say nothing about new events, however sure of the old ones, thus shrink to 0.
 */
export class PrequentialRecord {
  /** Per class: the mass of its events, the loss of what was predicted, the loss at each slope. */
  private up = new Float64Array(SLOPES + 3)
  private down = new Float64Array(SLOPES + 3)

  /** Balanced log-loss of what was predicted, in nats (chance: ln 2); null until both classes have been predicted. */
  get logLoss(): number | null {
    return this.up[0]! > 0 && this.down[0]! > 0 ? this.balanced(1) : null
  }

  /** 0 until both classes have been predicted. */
  get slope(): number {
    if (this.logLoss === null) return 0
    let best = 0
    for (let i = 1; i <= SLOPES; i++) if (this.balanced(2 + i) < this.balanced(2 + best)) best = i
    return best / SLOPES
  }

  /** @param logit before it is multiplied by the present slope, which is what was predicted */
  add(logit: number, label: boolean, weight: number, slope: number): void {
    const sums = label ? this.up : this.down
    const margin = label ? logit : -logit
    for (let i = 0; i < sums.length; i++) sums[i]! *= KEEP
    sums[0]! += weight
    sums[1]! += weight * softplus(-slope * margin)
    for (let i = 0; i <= SLOPES; i++) sums[2 + i]! += weight * softplus((-i / SLOPES) * margin)
  }

  tensors(): { up: Float64Array; down: Float64Array } {
    return { up: this.up.slice(), down: this.down.slice() }
  }

  restore(tensors: { up: Float64Array; down: Float64Array }): void {
    this.up = Float64Array.from(tensors.up)
    this.down = Float64Array.from(tensors.down)
  }

  private balanced(i: number): number {
    return 0.5 * (this.up[i]! / this.up[0]! + this.down[i]! / this.down[0]!)
  }
}
