import type { Later } from '../engine/index.js'
import { BcodError } from '../errors.js'
import type { AffordableShapes } from './affordable-shapes.js'
import type { ModelSession } from './model-session.js'
import type { BatchLayout } from './packed-batch.js'
import type { PackedLoss } from './packed-loss.js'
import { type MicroBatch, planMicroBatches } from './packed-shapes.js'
import type { PlaceTimes } from './place-times.js'
import type { ReferencePass, ReferenceRows } from './reference-pass.js'
import { planReference } from './reference-plan.js'
import { inRounds, type RoundPlaces, type RoundWork } from './rounds.js'
import { type TokenPair, tokensOf } from './token-trees.js'

/** The programs of packed batches. */
export type PackedPrograms = Pick<
  ModelSession,
  'score' | 'accumulate' | 'addGradient' | 'pairCost' | 'batchCost' | 'inBlocks'
> & {
  readonly session: RoundPlaces
  readonly placeTimes: Pick<PlaceTimes, 'count'>
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
 * is scattered back. Each pass is planned when it is first asked for.
 */
export class PackedEvents<T extends TokenPair> {
  #batches: readonly MicroBatch[] | null = null

  constructor(
    private readonly model: PackedPrograms,
    private readonly affordable: AffordableShapes,
    readonly events: readonly T[],
  ) {}

  /** Each event is in exactly one of them. */
  get batches(): readonly MicroBatch[] {
    this.#batches ??= planMicroBatches(this.events, this.affordable.shapes, this.model)
    return this.#batches
  }

  /** log πref(y|x), and the mean-pooled last hidden state of each prompt under the reference, [D]. */
  reference(): { readonly logps: readonly number[]; readonly embeddings: readonly Float64Array[] } {
    const logps = this.#array<number>()
    const embeddings = this.#array<Float64Array>()
    const pass = this.model.reference
    const put = (batch: MicroBatch, out: ReferenceRows) => {
      scatter(batch, out.logps, logps)
      scatter(batch, out.embeddings, embeddings)
    }
    const { affordable, events, model } = this
    const { continued, whole } = planReference(events, pass.shapes, { affordable, options: model })
    // if no event continues a known beginning, both passes compute the same batches
    if (continued.length === 0) this.#batches = whole
    for (const { beginning, batches } of continued) {
      const known = pass.begin(beginning)
      this.#inRounds(batches, (events, batch, place) => pass.continue(events, batch, known, place), put)
    }
    this.#inRounds(whole, (events, batch, place) => pass.prepare(events, batch, place), put)
    return { logps, embeddings }
  }

  /** log πθ(y|x), without a gradient. */
  policyLogps(): readonly number[] {
    return this.rows((events, layout, place) => this.model.score(events, layout, place))
  }

  /** One number for each event. @param begin  computes the rows of one batch at a place */
  rows(
    begin: (events: readonly T[], layout: BatchLayout, place: number) => Later<readonly number[]>,
  ): readonly number[] {
    return rowsOfAll(this.model, [this], begin)[0] as readonly number[]
  }

  /**
   * Loss and gradient of the step: the first place's accumulated gradient is theirs alone afterwards. Gradients are
   * added one by one in the order of the batches, so the sum has the same bits for any number of places.
   */
  accumulate({ referenceLogps, labels, coefficients, delta }: LossTerms): {
    readonly loss: number
    readonly policyLogps: readonly number[]
    readonly rewards: readonly number[]
  } {
    const policyLogps = this.#array<number>()
    const rewards = this.#array<number>()
    let loss = 0
    const begin = (events: readonly T[], batch: MicroBatch, place: number, index: number) => {
      const terms = {
        referenceLogps: gather(batch, referenceLogps),
        labels: gather(batch, labels),
        coefficients: gather(batch, coefficients),
        delta,
        // the first place goes on with the sum; the others give away what they have after each round
        first: place > 0 || index === 0,
      }
      return this.model.accumulate(events, batch, terms, place)
    }
    const take = (batch: MicroBatch, out: PackedLoss) => {
      loss += out.loss
      scatter(batch, out.logps, policyLogps)
      scatter(batch, out.rewards, rewards)
    }
    this.#inRounds(this.batches, begin, take, (place) => this.model.addGradient(place))
    return { loss, policyLogps, rewards }
  }

  #inRounds<R>(
    batches: readonly MicroBatch[],
    begin: (events: readonly T[], batch: MicroBatch, place: number, index: number) => Later<R>,
    take: (batch: MicroBatch, result: R) => void,
    bring: (place: number) => void = () => {},
  ): void {
    const { events, model } = this
    const work = {
      begin: (batch: MicroBatch, place: number, index: number) => begin(gather(batch, events), batch, place, index),
      ...{ take, bring },
    }
    model.placeTimes.count(() => inRounds(batches, model.session, work))
  }

  #array<V>(): V[] {
    return new Array<V>(this.events.length)
  }
}

/** One number for each event of several packings, whose batches go to the places in the same rounds. */
export function rowsOfAll<T extends TokenPair>(
  model: Pick<PackedPrograms, 'session' | 'placeTimes'>,
  packings: readonly Pick<PackedEvents<T>, 'batches' | 'events'>[],
  begin: (events: readonly T[], layout: BatchLayout, place: number) => Later<readonly number[]>,
): readonly (readonly number[])[] {
  const values = packings.map(({ events }) => new Array<number>(events.length))
  const items = packings.flatMap(({ batches, events }, i) =>
    batches.map((batch) => ({ batch, events, values: values[i] as number[] })),
  )
  const work: RoundWork<(typeof items)[number], readonly number[]> = {
    begin: ({ batch, events }, place) => begin(gather(batch, events), batch, place),
    take: (item, rows) => scatter(item.batch, rows, item.values),
  }
  model.placeTimes.count(() => inRounds(items, model.session, work))
  return values
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
  return new PackedEvents(model, affordable, events)
}
