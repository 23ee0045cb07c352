import { basename, resolve } from 'node:path'
import type { Config } from '../config/config.js'
import { eventEmbedding } from '../embeddings/event-embedding.js'
import type { BcodError } from '../errors.js'
import type { Learner } from '../learner/learner.js'
import { PromptClassifier } from '../ratio/prompt-classifier.js'
import { batches } from '../replay/batches.js'
import { type EventFile, emptyTally, fileEvents } from '../replay/events.js'
import type { TextService } from '../text/text-process.js'
import { type Cost, costOf, type TimedStep } from './cost.js'
import { type Evidence, evidence } from './evidence.js'
import { askProbes, type ProbeResult, readProbes } from './probes.js'
import { Progressive } from './progressive.js'
import { type Suggestion, suggestions } from './suggestions.js'
import { topicsOf } from './topics.js'

export interface BacktestOptions {
  /** With `given`, for the probes. */
  readonly learner: Learner
  readonly config: Config
  /** Its rows have been looked at (`survey`): those that cannot be used are passed over. */
  readonly file: Pick<EventFile, 'path' | 'vocabSize' | 'maxLength'> & { readonly text: TextService | null }
  readonly onEmbeddingsFailed: (error: BcodError) => void
  /** @param trained  votes so far */
  readonly onStep?: (trained: number, loss: number) => void
}

/** What `--json` prints. */
export interface BacktestReport extends Evidence {
  /** Name of the model's directory. */
  readonly model: string
  /** Rows of the file. */
  readonly events: number
  readonly trained: number
  readonly steps: number
  readonly skipped_invalid: number
  readonly dropped_by_reason: Readonly<Record<string, number>>
  /** Kept from training by `eval.holdOut`. */
  readonly held_out: number
  /** Votes whose prompt was cut to `limits.maxLength`. */
  readonly shortened: number
  readonly quarantined: number
  /** Of the gate, before and after; empty without any that the model can be asked. */
  readonly probes: readonly ProbeResult[]
  readonly cost: Cost
  readonly suggestions: readonly Suggestion[]
}

const MOST_TOPICS = 8
const VOTES_PER_TOPIC = 50

/**
 * Trains on a file in its order and predicts every vote before it trains on it. Nothing is written.
 *
 * @throws what `readProbes` throws, before the first step; the errors of steps; FILE_UNREADABLE
 */
export async function backtest(options: BacktestOptions): Promise<BacktestReport> {
  const started = performance.now()
  const { learner, config, file } = options
  const asked = await readProbes({ ...file, config })
  const { progressive, tally, steps, quarantined } = await learn(options)
  const { votes, points } = progressive
  const topics = topicsOf(points, Math.max(1, Math.min(MOST_TOPICS, Math.floor(votes.length / VOTES_PER_TOPIC))))
  const found = evidence(votes, topics)
  const probes = learner.step === 0 ? [] : await askProbes(learner, asked, config)
  const read = {
    ...{ model: basename(resolve(config.model.path ?? '')), events: tally.events, skipped_invalid: tally.invalid },
    ...{ dropped_by_reason: Object.fromEntries(tally.dropped), held_out: tally.heldOut, shortened: tally.shortened },
  }
  const trained = steps.reduce((sum, step) => sum + step.votes, 0)
  return {
    ...{ ...read, trained, steps: steps.length, quarantined, ...found, probes },
    cost: costOf(steps, (performance.now() - started) / 1000, config.model.dtype),
    suggestions: suggestions({ votes, found, read, probes, config }),
  }
}

async function learn({ learner, config, file, onEmbeddingsFailed: failed, onStep }: BacktestOptions) {
  const tally = emptyTally()
  const progressive = new Progressive({
    ...{ beta: config.bco.beta, seed: config.seed },
    // the baseline learns even if the weights are off
    classifier: new PromptClassifier({ ...config.ratio, mode: 'online', seed: config.seed }),
  })
  const embed = eventEmbedding(config, file.text, { counted: () => undefined, failed })
  const steps: TimedStep[] = []
  let [quarantined, trained] = [0, 0]
  for await (const some of batches(fileEvents({ ...file, config, onInvalid: () => undefined }, tally), config)) {
    const events = await embed(some)
    const embeddings = learner.embeddings(events)
    const { delta } = learner
    const begun = performance.now()
    const outcome = learner.trainStep(events)
    quarantined += outcome.quarantined.length + outcome.refused.length
    const { applied } = outcome
    if (applied === null) continue
    steps.push({ votes: applied.events, seconds: (performance.now() - begun) / 1000 })
    trained += applied.events
    progressive.add({ events, embeddings, delta, applied })
    onStep?.(trained, applied.loss)
  }
  return { progressive, tally, steps, quarantined }
}
