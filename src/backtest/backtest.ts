import type { Config } from '../config/config.js'
import { eventEmbedding } from '../embeddings/event-embedding.js'
import type { BcodError } from '../errors.js'
import type { Learner } from '../learner/learner.js'
import { PromptClassifier } from '../ratio/prompt-classifier.js'
import { batches } from '../replay/batches.js'
import { type EventFile, emptyTally, fileEvents } from '../replay/events.js'
import type { TextService } from '../text/text-process.js'
import { type Evidence, evidence } from './evidence.js'
import { askProbes, type ProbeResult } from './probes.js'
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
  /** Rows of the file. */
  readonly events: number
  readonly trained: number
  readonly steps: number
  readonly skipped_invalid: number
  readonly dropped_by_reason: Readonly<Record<string, number>>
  readonly shortened: number
  readonly quarantined: number
  /** Of the gate, before and after; empty if the model cannot be asked any. */
  readonly probes: readonly ProbeResult[]
  readonly cost: Cost
  readonly suggestions: readonly Suggestion[]
}

/** What it takes on this machine. */
export interface Cost {
  /** Of a training step, over its votes; the first step, which compiles, left out if there are more. */
  readonly seconds_per_vote: number | null
  readonly votes_per_day: number | null
  /** The largest resident memory of the process, in bytes. */
  readonly peak_memory_bytes: number
  readonly seconds: number
}

const MOST_TOPICS = 8
const VOTES_PER_TOPIC = 50

/**
 * Trains on a file in its order and predicts every vote before it trains on it. Nothing is written.
 *
 * @throws the errors of steps and of probes; FILE_UNREADABLE
 */
export async function backtest(options: BacktestOptions): Promise<BacktestReport> {
  const started = performance.now()
  const { learner, config, file } = options
  const { progressive, tally, steps, quarantined } = await learn(options)
  const { votes, points } = progressive
  const topics = topicsOf(points, Math.max(1, Math.min(MOST_TOPICS, Math.floor(votes.length / VOTES_PER_TOPIC))))
  const found = evidence(votes, topics)
  const probes = learner.step === 0 ? [] : await askProbes(learner, { ...file, config })
  const read = {
    ...{ events: tally.events, skipped_invalid: tally.invalid, shortened: tally.shortened },
    dropped_by_reason: Object.fromEntries(tally.dropped),
  }
  return {
    ...{ ...read, trained: steps.reduce((sum, step) => sum + step.votes, 0), steps: steps.length, quarantined },
    ...{ ...found, probes, cost: costOf(steps, (performance.now() - started) / 1000) },
    suggestions: suggestions({ votes, found, read, probes, maxLength: config.limits.maxLength }),
  }
}

interface TimedStep {
  readonly votes: number
  readonly seconds: number
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

function costOf(steps: readonly TimedStep[], seconds: number): Cost {
  const warm = steps.length > 1 ? steps.slice(1) : steps
  const sum = (of: keyof TimedStep) => warm.reduce((total, step) => total + step[of], 0)
  const each = warm.length === 0 ? null : sum('seconds') / sum('votes')
  return {
    seconds_per_vote: each,
    votes_per_day: each === null ? null : Math.floor(86_400 / each),
    peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
    seconds,
  }
}
