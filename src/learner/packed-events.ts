import { BcodError } from '../errors.js'
import type { AffordableShapes } from './affordable-shapes.js'
import type { ModelSession } from './model-session.js'
import type { BatchLayout } from './packed-batch.js'
import { type MicroBatch, planMicroBatches } from './packed-shapes.js'
import type { ReferencePass, ReferenceRows } from './reference-pass.js'
import { planReference, type ReferencePlan } from './reference-plan.js'
import { type TokenPair, tokensOf } from './token-trees.js'

/** The programs of packed batches. */
export type PackedPrograms = Pick<ModelSession, 'score' | 'accumulate' | 'pairCost' | 'batchCost' | 'inBlocks'> & {
  readonly reference: Pick<ReferencePass, 'shapes' | 'prepare' | 'begin' | 'continue'>
}

/** What the loss needs of each event; arrays by event. */
export interface LossTerms {
  readonly referenceLogps: readonly number[]
  /** true = thumbs-up. */
  readonly labels: readonly boolean[]
  /** Each event's share of the step's loss. */
  readonly coefficients: ArrayLike<number>
  readonly delta: number
}

/**
 * Events in packed batches. Callers see arrays by event: rows are gathered for each batch, and what the programs return
 * is scattered back.
 */
export class PackedEvents<T extends TokenPair> {
  /** @param batches  each event in exactly one of them */
  constructor(
    private readonly model: PackedPrograms,
    readonly events: readonly T[],
    readonly batches: readonly MicroBatch[],
    private readonly referencePlan: ReferencePlan,
  ) {}

  /** log πref(y|x), and the mean-pooled last hidden state of each prompt under the reference, [D]. */
  reference(): { readonly logps: readonly number[]; readonly embeddings: readonly Float64Array[] } {
    const logps = this.#array<number>()
    const embeddings = this.#array<Float64Array>()
    const pass = this.model.reference
    const put = (batch: MicroBatch, out: ReferenceRows) => {
      scatter(batch, out.logps, logps)
      scatter(batch, out.embeddings, embeddings)
    }
    for (const { beginning, batches } of this.referencePlan.continued) {
      const known = pass.begin(beginning)
      for (const batch of batches) put(batch, pass.continue(gather(batch, this.events), batch, known))
    }
    for (const batch of this.referencePlan.whole) put(batch, pass.prepare(gather(batch, this.events), batch))
    return { logps, embeddings }
  }

  /** log πθ(y|x), without a gradient. */
  policyLogps(): readonly number[] {
    return this.rows((events, layout) => this.model.score(events, layout).logps)
  }

  /** One number for each event. @param compute  of the rows of one batch */
  rows(compute: (events: readonly T[], layout: BatchLayout) => readonly number[]): readonly number[] {
    const values = this.#array<number>()
    for (const batch of this.batches) scatter(batch, compute(gather(batch, this.events), batch), values)
    return values
  }

  /** Loss and gradient of the step: the session's accumulated gradient is theirs alone afterwards. */
  accumulate({ referenceLogps, labels, coefficients, delta }: LossTerms): {
    readonly loss: number
    readonly policyLogps: readonly number[]
    readonly rewards: readonly number[]
  } {
    const policyLogps = this.#array<number>()
    const rewards = this.#array<number>()
    let loss = 0
    this.batches.forEach((batch, number) => {
      const out = this.model.accumulate(gather(batch, this.events), batch, {
        referenceLogps: gather(batch, referenceLogps),
        labels: gather(batch, labels),
        coefficients: gather(batch, coefficients),
        delta,
        first: number === 0,
      })
      loss += out.loss
      scatter(batch, out.logps, policyLogps)
      scatter(batch, out.rewards, rewards)
    })
    return { loss, policyLogps, rewards }
  }

  #array<V>(): V[] {
    return new Array<V>(this.events.length)
  }
}

const gather = <V>({ events }: MicroBatch, byEvent: ArrayLike<V>): readonly V[] =>
  events.map((index) => byEvent[index] as V)

function scatter<V>({ events }: MicroBatch, rows: readonly V[], byEvent: V[]): void {
  events.forEach((index, row) => {
    byEvent[index] = rows[row] as V
  })
}

/**
 * Packs events into as few and as full batches as the shapes allow.
 *
 * @throws DEVICE_OUT_OF_MEMORY if one is longer than the device has memory for
 */
export function packEvents<T extends TokenPair>(
  model: PackedPrograms,
  affordable: AffordableShapes,
  events: readonly T[],
): PackedEvents<T> {
  const longest = Math.max(...events.map(tokensOf))
  if (longest > affordable.longestSequence)
    throw new BcodError('DEVICE_OUT_OF_MEMORY', `there is no memory for ${longest} tokens at once`)
  const reference = planReference(events, model.reference.shapes, { affordable, options: model })
  // if no event continues a known beginning, both passes compute the same batches
  const isSame = reference.continued.length === 0
  const batches = isSame ? reference.whole : planMicroBatches(events, affordable.shapes, model)
  return new PackedEvents(model, events, batches, reference)
}
