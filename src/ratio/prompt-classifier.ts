import type { Serializable } from '../events/types.js'
import type { ClassifierModel, Embedding } from './classifier-model.js'
import { type DensityRatios, densityRatios, type RatioBounds } from './density-ratio.js'
import { FitOnceModel, type FitOnceOptions } from './fit-once.js'
import { sigmoid } from './logistic.js'
import { OnlineModel, type OnlineOptions } from './online.js'
import { readTensor, type Tensors } from './tensors.js'

/** `ratio.mode` and what it needs. */
export type RatioOptions = RatioBounds &
  (
    | { readonly mode: 'off' }
    | ({ readonly mode: 'online' } & OnlineOptions)
    | ({ readonly mode: 'fit-once' } & FitOnceOptions)
  )

export interface ClassifierHealth {
  /** Whether enough of both classes has been seen; w = 1 until then. */
  readonly ready: boolean
  /** Embeddings that were not finite, and so not learnt. */
  readonly refused: number
  /** Moving balanced log-loss of what was predicted before each label was known, nats (chance: ln 2); null at first. */
  readonly logLoss: number | null
}

/**
 * p_ψ(f = 1 | x): the probability that a prompt comes from the thumbs-up set, and the density ratios made from it.
 * A step uses the classifier from before it; `update` is called once, after the step is applied. Nothing but `update`
 * and `restore` changes it. An embedding that is not finite has p = ½ and w = 1 and is never learnt.
 */
export class PromptClassifier implements Serializable<Tensors> {
  private readonly model: ClassifierModel | null
  private refused = 0

  constructor(private readonly options: RatioOptions) {
    this.model = modelOf(options)
  }

  /** False where embeddings need not be computed at all. */
  get needsEmbeddings(): boolean {
    return this.model !== null
  }

  /** p_ψ(1|x) of each prompt. */
  probability(embeddings: readonly Embedding[]): Float64Array {
    return this.logits(embeddings).map(sigmoid)
  }

  /** @param labels true = thumbs-up */
  weights(embeddings: readonly Embedding[], labels: readonly boolean[]): DensityRatios {
    return densityRatios(this.logits(embeddings), labels, this.options)
  }

  /** @param weights the events' own weights a; 1 where not given */
  update(embeddings: readonly Embedding[], labels: readonly boolean[], weights?: ArrayLike<number>): void {
    if (!this.model) return
    const prompts = embeddings.map((embedding, i) => ({ embedding, label: labels[i]!, weight: weights?.[i] ?? 1 }))
    const finite = prompts.filter(({ embedding }) => allFinite(embedding))
    this.refused += prompts.length - finite.length
    this.model.update(finite)
  }

  health(): ClassifierHealth {
    return { ready: this.model?.ready ?? false, refused: this.refused, logLoss: this.model?.logLoss ?? null }
  }

  /** Shares no memory with the classifier. At a width of 256 about 1 MB, or 2 MB while `fit-once` collects. */
  snapshot(): Tensors {
    return { refused: Float64Array.of(this.refused), ...this.model?.tensors() }
  }

  /** The options must be those it was saved with. */
  restore(state: Tensors): void {
    this.refused = readTensor(state, 'refused', 1)[0]!
    this.model?.restore(state)
  }

  private logits(embeddings: readonly Embedding[]): Float64Array {
    const logits = new Float64Array(embeddings.length)
    const finite = embeddings.flatMap((embedding, i) => (allFinite(embedding) ? [i] : []))
    const known = this.model?.logits(finite.map((i) => embeddings[i]!))
    finite.forEach((i, at) => {
      logits[i] = known?.[at] ?? 0
    })
    return logits
  }
}

function modelOf(options: RatioOptions): ClassifierModel | null {
  if (options.mode === 'online') return new OnlineModel(options)
  return options.mode === 'fit-once' ? new FitOnceModel(options) : null
}

function allFinite(embedding: Embedding): boolean {
  for (let i = 0; i < embedding.length; i++) if (!Number.isFinite(embedding[i]!)) return false
  return true
}
