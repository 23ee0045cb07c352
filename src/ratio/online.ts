import type { ClassifierModel, Embedding, LabelledPrompt } from './classifier-model.js'
import { ClassifierHistory } from './history.js'
import { dot } from './logistic.js'
import { minimise } from './newton.js'
import { PrequentialRecord } from './prequential.js'
import { Projection } from './projection.js'
import { readTensor, type Tensors } from './tensors.js'

export interface OnlineOptions {
  /** In events; 0 never forgets. */
  readonly halfLife: number
  /** Both classes must have been seen this often before anything is predicted. @default 16 */
  readonly minPerClass?: number
  /** C of the objective. @default 1 */
  readonly inverseRegularisation?: number
  /** Wider embeddings are projected to this; a multiple of 8. @default 256 */
  readonly maxWidth?: number
  /** Of the projection. */
  readonly seed: number
}

/** Far below what one event can tell of one coefficient, where a step could gain ½. */
const TOLERANCE_PER_COEFFICIENT = 1e-4
/** Where the factor of an older Hessian needs more, a new one costs less. Measured at a width of 256. */
const STALE_STEPS = 3
/** Below this discounted mass a class is no longer known. */
const LEAST_MASS = 1e-9

/**
 * Class-balanced logistic regression that learns from a stream (docs/adr/007): at each step the minimum of
 *
 *     ½ ‖θ‖² + C Σ_c N/(2 N_c) Σ_{i∈c} λ^ageᵢ aᵢ ℓᵢ(θ),   N = N₊ + N₋ discounted, the prior not, the intercept free
 *
 * where ‖θ‖ is over coefficients of standardised features. The last 64 events enter exactly, older ones through a
 * quadratic per class; a few preconditioned Newton steps from the last θ find the minimum. Everything is kept in
 * coordinates of the features themselves: standardisation enters through the prior alone, so that nothing has to be
 * transformed when it moves.
 */
export class OnlineModel implements ClassifierModel {
  private readonly keepPerEvent: number
  private readonly minPerClass: number
  private record = new PrequentialRecord()
  private history: ClassifierHistory | null = null

  constructor(private readonly options: OnlineOptions) {
    this.keepPerEvent = options.halfLife > 0 ? 2 ** (-1 / options.halfLife) : 1
    this.minPerClass = options.minPerClass ?? 16
  }

  get ready(): boolean {
    const { history } = this
    return (
      history !== null &&
      [true, false].every((label) => history.of(label).seen >= this.minPerClass && history.of(label).mass > LEAST_MASS)
    )
  }

  get logLoss(): number | null {
    return this.record.logLoss
  }

  logits(embeddings: readonly Embedding[]): Float64Array {
    const { history } = this
    const slope = this.record.slope
    if (!history || !this.ready || slope === 0) return new Float64Array(embeddings.length)
    return Float64Array.from(embeddings, (x) => slope * dot(history.projection.withIntercept(x), history.minimum.theta))
  }

  update(prompts: readonly LabelledPrompt[]): void {
    const first = prompts[0]
    if (!first) return
    this.history ??= this.emptyState(first.embedding.length)
    const { history } = this
    const rows = prompts.map(({ embedding }) => history.projection.withIntercept(embedding))
    if (this.ready) {
      const slope = this.record.slope
      prompts.forEach(({ label, weight }, i) => {
        this.record.add(dot(rows[i]!, history.minimum.theta), label, weight, slope)
      })
    }
    history.forget(this.keepPerEvent ** prompts.length)
    prompts.forEach(({ label, weight }, i) => {
      history.add({ row: rows[i]!, label, weight })
    })
    if (this.ready) {
      history.minimum = minimise(history.problem(this.options.inverseRegularisation ?? 1), history.minimum, {
        tolerance: TOLERANCE_PER_COEFFICIENT * history.size,
        staleSteps: STALE_STEPS,
      })
    }
  }

  tensors(): Tensors {
    const record = this.record.tensors()
    const common = { recordUp: record.up, recordDown: record.down }
    return this.history ? { ...common, ...this.history.tensors() } : common
  }

  restore(tensors: Tensors): void {
    this.record = new PrequentialRecord()
    this.record.restore({ up: readTensor(tensors, 'recordUp'), down: readTensor(tensors, 'recordDown') })
    this.history = null
    if (!tensors.theta) return
    this.history = this.emptyState(readTensor(tensors, 'inputWidth')[0]!)
    this.history.restore(tensors)
  }

  private emptyState(inputWidth: number): ClassifierHistory {
    return new ClassifierHistory(new Projection(inputWidth, this.options.maxWidth ?? 256, this.options.seed))
  }
}
