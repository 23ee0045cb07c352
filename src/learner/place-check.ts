import type { Later } from '../engine/index.js'
import type { ModelSession } from './model-session.js'
import type { TokenPair } from './token-trees.js'

/**
 * Computes one packed batch at every place and leaves out those whose bits differ from the first one's: no replay could
 * follow what they add to a step. All that a batch computes is compared, with the gradient where there is one.
 */
export function refusePlaces(model: ModelSession): void {
  if (model.places.length === 1) return
  const ends = model.places.map((place) => ({ place, end: begin(model, place) }))
  const results = ends.map(({ place, end }) => ({ place, bits: bitsOf(end()) }))
  for (const { place, bits } of results) if (!bits.equals(results[0]?.bits as Buffer)) model.session.drop(place)
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
