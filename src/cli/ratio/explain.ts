import type { Snapshot } from '../../checkpoint/snapshot.js'
import { eventEmbedding } from '../../embeddings/event-embedding.js'
import { BcodError } from '../../errors.js'
import type { TrainingEvent } from '../../events/types.js'
import type { Learner } from '../../learner/learner.js'
import { clamped, effectiveSampleRatio } from '../../ratio/density-ratio.js'
import { healthOf, type ReliabilityBin, reliability } from '../../ratio/prediction-record.js'
import type { PromptClassifier } from '../../ratio/prompt-classifier.js'
import { unprefixed } from '../../ratio/tensors.js'
import { batches } from '../../replay/batches.js'
import { type EventFile, fileEvents } from '../../replay/events.js'
import { hashModelDirectory } from '../../safetensors/model-identity.js'
import type { ConfigWithModel } from '../learner-config.js'

/** One thumbs-down and what it weighs. */
export interface WeighedVote {
  /** In the file, from 1. */
  readonly line: number
  readonly source: string
  readonly id: string
  /** p(1|x) / p(0|x) as it is, and within `ratio.min` and `ratio.max`. */
  readonly ratio: number
  readonly w: number
  readonly promptTokens: readonly number[]
}

/** Names as `--json` prints them. Log-loss and what follows are null until both classes have been judged. */
export interface RatioExplanation {
  readonly up: number
  readonly down: number
  readonly ready: boolean
  readonly trust: number
  readonly log_loss: number | null
  readonly auc: number | null
  readonly calibration_error: number | null
  readonly raw_weight_mean: number | null
  readonly clamped_low: number
  readonly clamped_high: number
  readonly ess_ratio: number
  /** Prompts without a usable embedding. */
  readonly refused: number
  readonly votes: readonly WeighedVote[]
  readonly reliability: readonly ReliabilityBin[]
}

export interface ExplainOptions {
  readonly learner: Learner
  readonly config: ConfigWithModel
  readonly file: Omit<EventFile, 'config'>
  /** Whose classifier judges; null: it begins with nothing and learns on the way. */
  readonly checkpoint: Snapshot | null
}

/**
 * What every thumbs-down of a file weighs. Nothing is trained.
 *
 * @throws CHECKPOINT_MODEL_MISMATCH, CLASSIFIER_OTHER; the errors of bad rows with `file:line`
 */
export async function explainRatio({ learner, config, file, checkpoint }: ExplainOptions): Promise<RatioExplanation> {
  const classifier = learner.emptyClassifier()
  if (checkpoint) await takeUp(classifier, checkpoint, config.model.path)
  const failed = (error: BcodError) => {
    throw error
  }
  const embed = eventEmbedding(config, file.text, { counted: () => undefined, failed })
  const bounds = config.ratio
  const logits = { up: [] as number[], down: [] as number[] }
  const votes: WeighedVote[] = []
  let up = 0
  for await (const events of batches(fileEvents({ ...file, config }), config)) {
    const embeddings = learner.embeddings(await embed(events))
    const predicts = classifier.ready
    classifier.logits(embeddings).forEach((logit, i) => {
      const { label, position, source, id, promptTokens } = events[i] as TrainingEvent
      if (predicts) logits[label ? 'up' : 'down'].push(logit)
      if (label) up += 1
      else
        votes.push({
          ...{ line: position.offset, source, id, promptTokens },
          ...{ ratio: Math.exp(logit), w: clamped(logit, bounds) },
        })
    })
    if (!checkpoint)
      classifier.update(
        embeddings,
        events.map(({ label }) => label),
        events.map(({ weight }) => weight),
      )
  }
  const { ready, trust, refused } = classifier.health()
  const judged = healthOf(logits.up, logits.down)
  return {
    ...{ up, down: votes.length, ready, trust, refused },
    ...{ log_loss: judged.logLoss, auc: judged.auc, calibration_error: judged.calibrationError },
    raw_weight_mean: judged.rawDensityRatioMean,
    clamped_low: votes.filter(({ ratio }) => ratio < bounds.min).length,
    clamped_high: votes.filter(({ ratio }) => ratio > bounds.max).length,
    ess_ratio: effectiveSampleRatio(Float64Array.from(votes, ({ w }) => w)),
    votes,
    reliability: judged.auc === null ? [] : reliability(logits.up, logits.down),
  }
}

async function takeUp(classifier: PromptClassifier, checkpoint: Snapshot, modelPath: string): Promise<void> {
  if (checkpoint.identities.base !== (await hashModelDirectory(modelPath)))
    throw new BcodError('CHECKPOINT_MODEL_MISMATCH', 'it was made for another base model', { place: modelPath })
  const saved = [...checkpoint.trainerState].map(([name, { data }]) => [name, data] as const)
  const tensors = unprefixed('classifier', Object.fromEntries(saved) as Record<string, Float64Array>)
  if (!classifier.restore(tensors))
    throw new BcodError('CLASSIFIER_OTHER', 'the classifier of the checkpoint learnt from other embeddings', {
      place: 'ratio',
    })
}
