import type { Later } from '../engine/index.js'
import { BcodError } from '../errors.js'
import type { ModelSession } from './model-session.js'
import { inRounds } from './rounds.js'
import type { TokenPair } from './token-trees.js'

/**
 * Computes one packed batch at every place and leaves out those whose bits differ from the first one's: no replay could
 * follow what they add to a step. All that a batch computes is compared, with the gradient where there is one.
 */
export function refusePlaces(model: ModelSession): void {
  const { session } = model
  if (session.places.length === 1) return
  const bits = new Map<number, Buffer>()
  inRounds(session.places, session, {
    begin: (_, place) => begin(model, place),
    take: (place, values) => bits.set(place, bitsOf(values)),
  })
  for (const place of session.places)
    if (!bits.get(place)?.equals(bits.get(0) as Buffer))
      session.drop(place, new BcodError('PLACE_DIFFERS', 'a packed batch has other bits than at the first place'))
}

/** Begins the batch at a place; what it computes, as floats. */
function begin(model: ModelSession, place: number): Later<readonly ArrayLike<number>[]> {
  const [shape] = model.options.shapes
  if (shape === undefined) return () => []
  const event = someEvent(shape.longest, model.model.architecture.vocabSize)
  const layout = { shape, trees: [1] }
  if (!model.options.purposes.includes('train')) {
    const end = model.reference.prepare([event], layout, place)
    return () => {
      const { logps, embeddings } = end()
      return [logps, ...embeddings]
    }
  }
  const terms = { referenceLogps: [-1], labels: [true], coefficients: [1], delta: 0, first: true }
  const end = model.accumulate([event], layout, terms, place)
  return () => {
    const { logps, rewards, loss } = end()
    return [logps, rewards, [loss], model.gradientAt(place)]
  }
}

const bitsOf = (values: readonly ArrayLike<number>[]): Buffer =>
  Buffer.concat(values.map((each) => Buffer.from(Float32Array.from(each).buffer)))

/** As long as the shape has room for, half prompt and half completion. */
function someEvent(length: number, vocabSize: number): TokenPair {
  const tokens = Array.from({ length }, (_, i) => (7 + 31 * i) % vocabSize)
  const half = Math.floor(length / 2)
  return { promptTokens: tokens.slice(0, half), completionTokens: tokens.slice(half) }
}
