import { createHash } from 'node:crypto'
import type { Serializable } from '../events/types.js'
import type { ClassifierModel, Embedding } from './classifier-model.js'
import { clamped, type DensityRatios, densityRatios, type RatioBounds } from './density-ratio.js'
import { FitOnceModel, type FitOnceOptions } from './fit-once.js'
import { sigmoid } from './logistic.js'
import { halfLives, OnlineModel, type OnlineOptions } from './online.js'
import { type PredictionHealth, PredictionRecord } from './prediction-record.js'
import { prefixed, readTensor, type SavedTensors, unprefixed } from './tensors.js'

/** `ratio.mode` and what it needs. */
export type RatioOptions = RatioBounds & {
  /** `ratio.normalise`: w is divided by its moving mean. */
  readonly normalise?: boolean
  /** What the embeddings are; a state that was learnt from others is not taken up. */
  readonly embedder?: string
} & (
    | { readonly mode: 'off' }
    | ({ readonly mode: 'online' } & OnlineOptions)
    | ({ readonly mode: 'fit-once' } & FitOnceOptions)
  )

export interface ClassifierHealth extends PredictionHealth {
  /** Whether enough of both classes has been seen; w = 1 until then. */
  readonly ready: boolean
  /** How much of the regression's logits is used: 0 gives w = 1. It rises from 0 as the predictions prove themselves. */
  readonly trust: number
  /** Prompts without a usable embedding, and so not learnt. */
  readonly refused: number
}

/** Thumbs-down before the moving mean of `ratio.normalise` counts. */
const MIN_DOWNS = 32

/**
 * p_ψ(f = 1 | x): the probability that a prompt comes from the thumbs-up set, and the density ratios made from it.
 * A step uses the classifier from before it; `update` is called once, after the step is applied. Nothing but `update`
 * and `restore` changes it. A prompt whose embedding is missing, not finite or of another width has p = ½ and w = 1 and
 * is never learnt.
 */
export class PromptClassifier implements Serializable<SavedTensors> {
  private model: ClassifierModel | null
  private record = new PredictionRecord()
  private refused = 0

  constructor(private readonly options: RatioOptions) {
    this.model = modelOf(options)
  }

  /** False if embeddings need not be computed at all. */
  get needsEmbeddings(): boolean {
    return this.model !== null
  }

  /** Whether enough of both classes has been seen; w = 1 until then. */
  get ready(): boolean {
    return this.model?.ready ?? false
  }

  /** p_ψ(1|x) of each prompt. */
  probability(embeddings: readonly (Embedding | null)[]): Float64Array {
    return this.logits(embeddings).map(sigmoid)
  }

  /**
   * w(x) of each prompt, before the step learns from it.
   *
   * @param labels true = thumbs-up
   */
  densityRatios(embeddings: readonly (Embedding | null)[], labels: readonly boolean[]): DensityRatios {
    return densityRatios(this.logits(embeddings), labels, this.options, this.#divisor())
  }

  /** @param weights the events' own weights a; 1 if not given */
  update(embeddings: readonly (Embedding | null)[], labels: readonly boolean[], weights?: ArrayLike<number>): void {
    const { model } = this
    if (!model) return
    const finite = usable(embeddings, model.width).map(({ embedding, i }) => ({
      ...{ embedding, label: labels[i]!, weight: weights?.[i] ?? 1 },
    }))
    this.refused += embeddings.length - finite.length
    if (model.ready) {
      const logits = model.logits(finite.map(({ embedding }) => embedding))
      finite.forEach(({ label }, i) => {
        this.record.add(logits[i]!, label)
      })
    }
    model.update(finite)
  }

  health(): ClassifierHealth {
    const { model, ready, refused } = this
    return { ready, trust: model?.trust ?? 0, refused, ...this.record.health() }
  }

  /** Shares no memory with the classifier. At a width of 256 about 2.6 MB. */
  snapshot(): SavedTensors {
    const { model, record, refused } = this
    if (!model) return {}
    return {
      identity: Float64Array.of(this.#identity()),
      refused: Float64Array.of(refused),
      ...prefixed('record', record.tensors()),
      ...prefixed('model', model.tensors()),
    }
  }

  /** @returns whether the state was taken up; one of another mode or embedder is not, and learning starts over */
  restore(state: SavedTensors): boolean {
    this.model = modelOf(this.options)
    this.record = new PredictionRecord()
    this.refused = 0
    if (!this.model) return true
    if (state.identity?.[0] !== this.#identity()) return false
    this.refused = readTensor(state, 'refused', 1)[0]!
    this.record.restore(unprefixed('record', state))
    this.model.restore(unprefixed('model', state))
    return true
  }

  /** log p_ψ(1|x) / p_ψ(0|x) of each prompt; 0 gives w = 1. */
  logits(embeddings: readonly (Embedding | null)[]): Float64Array {
    const logits = new Float64Array(embeddings.length)
    const finite = usable(embeddings, this.model?.width ?? null)
    const known = this.model?.logits(finite.map(({ embedding }) => embedding))
    finite.forEach(({ i }, at) => {
      logits[i] = known?.[at] ?? 0
    })
    return logits
  }

  /** The moving mean of the clamped weights on thumbs-down. */
  #divisor(): number {
    if (!this.options.normalise) return 1
    return this.record.downMean((logit) => clamped(logit, this.options), MIN_DOWNS) ?? 1
  }

  /** A number for what this learns and from what: the first 48 bits of a hash. */
  #identity(): number {
    const { options } = this
    const shape = options.mode === 'online' ? halfLives(options.halfLife).length : 0
    const seed = options.mode === 'off' ? 0 : options.seed
    const described = JSON.stringify([options.mode, shape, seed, options.embedder ?? ''])
    return createHash('sha256').update(described).digest().readUIntBE(0, 6)
  }
}

function modelOf(options: RatioOptions): ClassifierModel | null {
  if (options.mode === 'online') return new OnlineModel(options)
  return options.mode === 'fit-once' ? new FitOnceModel(options) : null
}

/** The embeddings that are there, finite, and of one width: that of the model, or else of the first. */
function usable(
  embeddings: readonly (Embedding | null)[],
  width: number | null,
): { embedding: Embedding; i: number }[] {
  const found: { embedding: Embedding; i: number }[] = []
  embeddings.forEach((embedding, i) => {
    const expected = width ?? found[0]?.embedding.length ?? embedding?.length
    if (embedding?.length === expected && embedding?.every(Number.isFinite)) found.push({ embedding, i })
  })
  return found
}
