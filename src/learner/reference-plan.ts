import type { AffordableShapes } from './affordable-shapes.js'
import { type BeginningShapes, findBeginnings } from './beginnings.js'
import { type MicroBatch, type PlanCosts, planMicroBatches } from './packed-shapes.js'
import type { TokenPair } from './token-trees.js'

/** Events that continue one beginning, in packed batches of what is behind it. */
export interface ContinuedBatches {
  readonly beginning: readonly number[]
  readonly batches: readonly MicroBatch[]
}

/** How the reference computes a step's events; each is in exactly one batch. */
export interface ReferencePlan {
  readonly continued: readonly ContinuedBatches[]
  /** Whole events. */
  readonly whole: readonly MicroBatch[]
}

/** An event without its first tokens, which are of its prompt. */
export const behind = ({ promptTokens, completionTokens }: TokenPair, tokens: number): TokenPair => ({
  ...{ promptTokens: promptTokens.slice(tokens), completionTokens },
})

/** A pure function of the events, the shapes, and the memory that the device turned out to have. */
export function planReference(
  events: readonly TokenPair[],
  { alone, behind: shapes }: BeginningShapes,
  { affordable, options }: { readonly affordable: AffordableShapes; readonly options: PlanCosts },
): ReferencePlan {
  const most = affordable.limit ?? Number.POSITIVE_INFINITY
  const usable = shapes.filter(({ tokens, beginning = 0 }) => Math.max(tokens, beginning) <= most)
  const longest = Math.max(0, ...usable.map((shape) => shape.longest))
  const room = Math.max(0, ...usable.map(({ beginning = 0 }) => beginning))
  const found = findBeginnings(events, { longest, room })
  const continued = found.map(({ beginning, events: own }) => {
    const size = alone.find(({ tokens }) => tokens >= beginning.length)?.tokens
    const fitting = usable.filter((shape) => shape.beginning === size)
    const rests = own.map((index) => behind(events[index] as TokenPair, beginning.length))
    return { beginning, batches: planMicroBatches(rests, fitting, options).map((batch) => among(batch, own)) }
  })
  const taken = new Set(found.flatMap(({ events: own }) => own))
  const others = events.flatMap((_, index) => (taken.has(index) ? [] : [index]))
  const pairs = others.map((index) => events[index] as TokenPair)
  const whole = planMicroBatches(pairs, affordable.shapes, options).map((batch) => among(batch, others))
  return { continued, whole }
}

/** The batch of a selection of events as one of all. */
const among = (batch: MicroBatch, indexes: readonly number[]): MicroBatch => ({
  ...batch,
  events: batch.events.map((place) => indexes[place] as number),
})
