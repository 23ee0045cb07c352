import type { TrainingEvent } from '../../events/types.js'
import { seededRandom } from '../../model/random.js'
import { feedbackLengths } from './lengths.js'

/** Steps before the measurement that are not counted. */
export const WARM_UP = 3

/** The last token of every completion, as an end token is of real ones. */
export const END_TOKEN = 2

/** Events of real lengths, in the order of the list, over and over, with random tokens that are always the same. */
export function benchEvents(count: number, vocabSize: number): readonly TrainingEvent[] {
  const lengths = feedbackLengths()
  const random = seededRandom(0, 'bench tokens')
  const draw = (length: number) => Array.from({ length }, () => Math.floor(random() * vocabSize))
  return Array.from({ length: count }, (_, offset) => {
    const { prompt, completion, label } = lengths[offset % lengths.length]!
    return {
      position: { topic: 'bench', partition: 0, offset },
      timestamp: 0,
      source: 'bench',
      id: String(offset),
      subject: null,
      user: null,
      label,
      weight: 1,
      promptTokens: draw(prompt),
      completionTokens: [...draw(completion - 1), END_TOKEN],
    }
  })
}
