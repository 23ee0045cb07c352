import { BcodError } from '../errors.js'
import { describeNonFinite, findNonFiniteWeight } from '../model/non-finite.js'
import { openModelTensors } from '../safetensors/directory.js'
import type { ModelSession } from './model-session.js'
import type { TokenPair } from './token-trees.js'

/**
 * Tells a reference that is finite for no text from events that hold what it cannot take: it is asked for texts of no
 * event.
 *
 * @param place  where the reference is from
 * @param logps  log πref of one text
 * @throws MODEL_NONFINITE if none of them is finite
 */
export function assertReferenceFinite(
  model: ModelSession,
  place: string,
  logps: (text: TokenPair) => readonly number[],
): void {
  const texts = probes(model.model.architecture.vocabSize)
  if (texts.some((text) => logps(text).every(Number.isFinite))) return
  throw new BcodError('MODEL_NONFINITE', whyNonFinite(model), { place })
}

/** Short texts without an order: a model that is finite for any text is finite for one of them. */
const probes = (vocabSize: number): readonly TokenPair[] =>
  [1, 7, 61, 521].map((step) => {
    const ids = Array.from({ length: 4 }, (_, i) => (5 + step * (i + 1)) % vocabSize)
    return { promptTokens: ids.slice(0, 2), completionTokens: ids.slice(2) }
  })

/** Names the weight at fault; reads every weight. */
function whyNonFinite({ model, options }: ModelSession): string {
  const reader = openModelTensors(options.modelPath)
  try {
    const found = findNonFiniteWeight(model.architecture, reader)
    return found === null
      ? 'the reference is NaN or infinite for every text, though every weight is finite: its numbers overflow'
      : `the reference is NaN or infinite for every text: ${describeNonFinite(found)}`
  } finally {
    reader.close()
  }
}
