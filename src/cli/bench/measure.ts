import type { TrainingEvent } from '../../events/types.js'
import type { Learner } from '../../learner/learner.js'
import { blockShapes, planMicroBatches } from '../../learner/shapes.js'
import { type Random, seededRandom } from '../../model/random.js'
import type { ConfigWithModel } from '../learner-config.js'
import { feedbackLengths } from './lengths.js'
import { MAX_LENGTH } from './shapes.js'

export interface Measured {
  readonly steps: number
  readonly events: number
  /** Trained, without padding. */
  readonly tokens: number
  readonly seconds: number
  readonly steps_per_s: number
  readonly tokens_per_s: number
  readonly step_ms: { readonly median: number; readonly min: number; readonly max: number }
}

/** Steps before the measurement that are not counted. */
const WARM_UP = 3

/**
 * Trains on events of real lengths and random tokens. Every block shape that they need is compiled before the clock
 * starts.
 */
export function measure(learner: Learner, { batch, limits }: ConfigWithModel, steps: number): Measured {
  const events = randomEvents((WARM_UP + steps) * batch.size, learner.vocabSize)
  const batches = Array.from({ length: WARM_UP + steps }, (_, i) => events.slice(i * batch.size, (i + 1) * batch.size))
  const shapes = blockShapes(Math.min(limits.maxLength, MAX_LENGTH), batch.tokens, batch.size)
  const lengths = (batch: readonly TrainingEvent[]) => batch.map(tokensOf)
  const used = new Map(
    batches.flatMap((each) =>
      planMicroBatches(lengths(each), shapes).map(
        ({ shape, events: own }) => [shape, own.map((i) => each[i]!)] as const,
      ),
    ),
  )
  for (const own of used.values()) learner.trainStep(own)
  for (const each of batches.slice(0, WARM_UP)) learner.trainStep(each)

  const times: number[] = []
  const measured = batches.slice(WARM_UP)
  for (const each of measured) {
    const started = performance.now()
    learner.trainStep(each)
    times.push(performance.now() - started)
  }
  const seconds = times.reduce((sum, time) => sum + time, 0) / 1000
  const tokens = measured.flat().reduce((sum, event) => sum + tokensOf(event), 0)
  const sorted = times.toSorted((a, b) => a - b)
  return {
    steps,
    events: steps * batch.size,
    tokens,
    seconds,
    steps_per_s: steps / seconds,
    tokens_per_s: tokens / seconds,
    step_ms: { median: sorted[steps >> 1]!, min: sorted[0]!, max: sorted[steps - 1]! },
  }
}

const tokensOf = ({ promptTokens, completionTokens }: TrainingEvent) => promptTokens.length + completionTokens.length

function randomEvents(count: number, vocabSize: number): readonly TrainingEvent[] {
  const lengths = feedbackLengths()
  const random = seededRandom(0, 'bench tokens')
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
      ...randomTokens(random, prompt, completion, vocabSize),
    }
  })
}

function randomTokens(random: Random, prompt: number, completion: number, vocabSize: number) {
  const draw = (length: number) => Array.from({ length }, () => Math.floor(random() * vocabSize))
  return { promptTokens: draw(prompt), completionTokens: draw(completion) }
}
