import type { ClassifierModel, Embedding, LabelledPrompt } from './classifier-model.js'
import { dot } from './logistic.js'
import { minimise } from './newton.js'
import { packedLength } from './packed.js'
import { MAX_WIDTH, Projection } from './projection.js'
import { packRows, readTensor, type SavedTensors, unpackRows } from './tensors.js'

export interface FitOnceOptions {
  /** Fits when this many events have been seen, and learns from the newest of them. @default 1024 */
  readonly events?: number
  /** … and this many of each class are among them. @default 16 */
  readonly minPerClass?: number
  /** @default 256 */
  readonly maxWidth?: number
  readonly seed: number
}

/**
 * TRL's behaviour, for comparison: one fit on the first events, never again. Nothing is predicted before it.
 * The objective is that of scikit-learn's `LogisticRegression(class_weight='balanced')` on the embeddings as they are.
 */
export class FitOnceModel implements ClassifierModel {
  private readonly size: number
  private readonly minPerClass: number
  private projection: Projection | null = null
  private collected: { row: Float64Array; label: boolean }[] = []
  private theta: Float64Array | null = null

  constructor(private readonly options: FitOnceOptions) {
    this.size = options.events ?? 1024
    this.minPerClass = options.minPerClass ?? 16
  }

  get width(): number | null {
    return this.projection?.inputWidth ?? null
  }

  get ready(): boolean {
    return this.theta !== null
  }

  get trust(): number {
    return this.ready ? 1 : 0
  }

  logits(embeddings: readonly Embedding[]): Float64Array {
    const { projection, theta } = this
    if (!projection || !theta) return new Float64Array(embeddings.length)
    return Float64Array.from(embeddings, (x) => dot(projection.withIntercept(x), theta))
  }

  update(prompts: readonly LabelledPrompt[]): void {
    for (const { embedding, label } of prompts) {
      this.projection ??= this.projectionOf(embedding.length)
      if (this.theta) return
      this.collected.push({ row: this.projection.withIntercept(embedding), label })
      if (this.collected.length > this.size) this.collected.shift()
      if (this.collected.length === this.size) this.fit()
    }
  }

  tensors(): SavedTensors {
    const { projection, theta, collected } = this
    return {
      inputWidth: Float64Array.of(projection?.inputWidth ?? 0),
      theta: theta?.slice() ?? new Float64Array(0),
      collectedRows: packRows(
        collected.map(({ row }) => row),
        (projection?.width ?? 0) + 1,
      ),
      collectedLabels: Float64Array.from(collected, ({ label }) => (label ? 1 : 0)),
    }
  }

  restore(tensors: SavedTensors): void {
    const inputWidth = readTensor(tensors, 'inputWidth', 1)[0]!
    this.projection = inputWidth > 0 ? this.projectionOf(inputWidth) : null
    const width = (this.projection?.width ?? 0) + 1
    const theta = readTensor(tensors, 'theta')
    this.theta = theta.length > 0 ? theta : null
    const labels = readTensor(tensors, 'collectedLabels')
    const rows = unpackRows(readTensor(tensors, 'collectedRows', labels.length * width), width)
    this.collected = Array.from(labels, (label, i) => ({
      row: rows[i]!,
      label: label === 1,
    }))
  }

  private fit(): void {
    const rows = this.collected.map(({ row }) => row)
    const labels = this.collected.map(({ label }) => label)
    const ups = labels.filter(Boolean).length
    if (Math.min(ups, labels.length - ups) < this.minPerClass) return
    this.theta = fitBalanced(rows, labels)
    this.collected = []
  }

  private projectionOf(inputWidth: number): Projection {
    return new Projection(inputWidth, this.options.maxWidth ?? MAX_WIDTH, this.options.seed)
  }
}

/**
 * Minimises ½ ‖w‖² + C Σᵢ N/(2 N_class) ℓᵢ over w and a free intercept, to rounding.
 *
 * @param rows shape [N][width + 1], the last element 1
 * @returns shape [width + 1], the intercept last
 */
export function fitBalanced(rows: readonly Float64Array[], labels: readonly boolean[], c = 1): Float64Array {
  const size = rows[0]!.length
  const ups = labels.filter(Boolean).length
  const quadratic = new Float64Array(packedLength(size))
  for (let i = 0; i < size - 1; i++) quadratic[packedLength(i + 1) - 1] = 1
  const problem = {
    quadratic,
    linear: new Float64Array(size),
    rows,
    labels,
    scales: Float64Array.from(labels, (label) => (c * labels.length) / (2 * (label ? ups : labels.length - ups))),
  }
  const start = { theta: new Float64Array(size), factor: null, served: 0 }
  return minimise(problem, start, { tolerance: 1e-20, staleSteps: 0, iterations: 60 }).theta
}
