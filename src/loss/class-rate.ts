import { BcodError } from '../errors.js'
import type { Serializable } from '../events/types.js'

export interface ClassRateState {
  readonly up: number
  readonly down: number
}

/** Below this share an event's weight in the loss grows no further. */
const FLOOR = 0.02

/**
 * π̂: the moving share of each class among trained events, before the present step.
 * ½ until both classes have been seen, floored at 0.02, so that the two shares need not add up to 1.
 */
export class ClassRate implements Serializable<ClassRateState> {
  private up = 0
  private down = 0

  /** @param halfLife in events of either class */
  constructor(private readonly halfLife: number) {
    if (!(halfLife > 0 && Number.isFinite(halfLife))) throw new BcodError('INTERNAL', 'half-life of π̂ is not positive')
  }

  /** Share of the class, 0.02..1. */
  share(label: boolean): number {
    if (this.up === 0 || this.down === 0) return 0.5
    return Math.max(FLOOR, (label ? this.up : this.down) / (this.up + this.down))
  }

  /** Called once for a step, after it is applied. */
  update(labels: readonly boolean[]): void {
    const keep = 2 ** (-labels.length / this.halfLife)
    const ups = labels.filter(Boolean).length
    this.up = keep * this.up + ups
    this.down = keep * this.down + labels.length - ups
  }

  snapshot(): ClassRateState {
    return { up: this.up, down: this.down }
  }

  restore(state: ClassRateState): void {
    this.up = state.up
    this.down = state.down
  }
}
