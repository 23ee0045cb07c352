import type { ClassifierModel, Embedding, LabelledPrompt } from './classifier-model.js'
import { DiscountedFit } from './discounted-fit.js'
import { Mixture } from './mixture.js'
import { MAX_WIDTH, Projection } from './projection.js'
import { RecentEvents } from './recent-events.js'
import { prefixed, readTensor, type SavedTensors, unprefixed } from './tensors.js'

export interface OnlineOptions {
  /** Of the fit that remembers longest, in events. Others remember an eighth and a sixty-fourth of that. */
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

/** Each fit remembers an eighth of what the one before does; below this many events there is nothing to learn from. */
const HALF_LIFE_FACTOR = 8
const FITS = 3
const MIN_HALF_LIFE = 64

/** The half-lives of the bank, the longest first. */
export const halfLives = (longest: number): readonly number[] =>
  Array.from({ length: FITS }, (_, k) => longest / HALF_LIFE_FACTOR ** k).filter(
    (halfLife, k) => k === 0 || halfLife >= MIN_HALF_LIFE,
  )

/**
 * A small bank of class-balanced logistic regressions that learn from a stream, each at its half-life, mixed by what
 * their predictions have been worth (docs/adr/007).
 */
export class OnlineModel implements ClassifierModel {
  private readonly minPerClass: number
  private bank: Bank | null = null

  constructor(private readonly options: OnlineOptions) {
    this.minPerClass = options.minPerClass ?? 16
  }

  get width(): number | null {
    return this.bank?.projection.inputWidth ?? null
  }

  get ready(): boolean {
    const { bank } = this
    return bank !== null && Math.min(bank.ups, bank.downs) >= this.minPerClass && bank.fits.some(({ known }) => known)
  }

  get trust(): number {
    return this.ready ? (this.bank?.mixture.trusts().reduce((sum, trust) => sum + trust, 0) ?? 0) : 0
  }

  logits(embeddings: readonly Embedding[]): Float64Array {
    const { bank } = this
    if (!bank || !this.ready) return new Float64Array(embeddings.length)
    const trusts = bank.mixture.trusts()
    return Float64Array.from(embeddings, (x) => {
      const row = bank.projection.withIntercept(x)
      return bank.fits.reduce((sum, fit, k) => sum + trusts[k]! * fit.logit(row), 0)
    })
  }

  update(prompts: readonly LabelledPrompt[]): void {
    const first = prompts[0]
    if (!first) return
    this.bank ??= this.emptyBank(first.embedding.length)
    const { bank } = this
    const rows = prompts.map(({ embedding }) => bank.projection.withIntercept(embedding))
    if (this.ready) {
      prompts.forEach(({ label, weight }, i) => {
        const logits = bank.fits.map((fit) => fit.logit(rows[i]!))
        bank.mixture.add(logits, label, weight)
      })
    }
    bank.count += prompts.length
    const events = prompts.map(({ label, weight }, i) => ({ row: rows[i]!, label, weight, at: bank.count }))
    const ups = events.filter(({ label }) => label).length
    bank.ups += ups
    bank.downs += events.length - ups
    bank.recent.add(events)
    for (const fit of bank.fits) {
      fit.observe(events)
      if (this.ready && fit.due) fit.solve(bank.recent.all, bank.count)
    }
    // only now, when θ has learnt from the step, however large it is
    const old = bank.recent.takeOld()
    if (old.length > 0) for (const fit of bank.fits) fit.fold(old, bank.count)
  }

  tensors(): SavedTensors {
    const { bank } = this
    if (!bank) return {}
    return {
      inputWidth: Float64Array.of(bank.projection.inputWidth),
      counts: Float64Array.of(bank.count, bank.ups, bank.downs),
      ...prefixed('mixture', bank.mixture.tensors()),
      ...prefixed('recent', bank.recent.tensors()),
      ...Object.assign({}, ...bank.fits.map((fit, k) => prefixed(`fit${k}`, fit.tensors()))),
    }
  }

  restore(tensors: SavedTensors): void {
    this.bank = null
    if (!tensors.inputWidth) return
    const bank = this.emptyBank(readTensor(tensors, 'inputWidth', 1)[0]!)
    const counts = readTensor(tensors, 'counts', 3)
    bank.count = counts[0]!
    bank.ups = counts[1]!
    bank.downs = counts[2]!
    bank.mixture.restore(unprefixed('mixture', tensors))
    bank.recent.restore(unprefixed('recent', tensors))
    bank.fits.forEach((fit, k) => {
      fit.restore(unprefixed(`fit${k}`, tensors))
    })
    this.bank = bank
  }

  private emptyBank(inputWidth: number): Bank {
    const { halfLife, maxWidth = MAX_WIDTH, seed, inverseRegularisation = 1 } = this.options
    const projection = new Projection(inputWidth, maxWidth, seed)
    const size = projection.width + 1
    const fits = halfLives(halfLife).map((each) => new DiscountedFit(size, each, inverseRegularisation))
    return {
      ...{ projection, fits, mixture: new Mixture(fits.length), recent: new RecentEvents(size) },
      ...{ count: 0, ups: 0, downs: 0 },
    }
  }
}

/** What there is once the width of the embeddings is known. */
interface Bank {
  readonly projection: Projection
  readonly fits: readonly DiscountedFit[]
  readonly mixture: Mixture
  readonly recent: RecentEvents
  /** Events, never discounted: all, and of each class. */
  count: number
  ups: number
  downs: number
}
