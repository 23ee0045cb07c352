import type { TrainingEvent } from '../events/types.js'
import type { ClassRate } from '../loss/class-rate.js'
import { coefficients, type Reduction } from '../loss/coefficients.js'
import type { RewardShift } from '../loss/reward-shift.js'
import type { PromptEmbedder } from '../ratio/embedders/embedder.js'
import type { PromptClassifier } from '../ratio/prompt-classifier.js'
import type { ModelSession } from './model-session.js'
import type { PackedEvents } from './packed-events.js'
import { assertFinite, NonFinite } from './quarantine.js'
import { measureStep, type TrainedStep } from './step.js'

/** What a step of online BCO is made of. */
export interface StepParts {
  readonly model: ModelSession
  readonly pack: (events: readonly TrainingEvent[]) => PackedEvents<TrainingEvent>
  readonly embedder: PromptEmbedder
  // the states: a step uses them as they were before it, and moves each once
  readonly classifier: PromptClassifier
  readonly shift: RewardShift
  readonly classRate: ClassRate
  readonly beta: number
  readonly reduction: Reduction
}

/**
 * One step of online BCO (arXiv 2404.04656): the gradient of the loss, one AdamW step, and then the update of δ, the
 * class rate and the prompt classifier. Either all of them move or nothing does.
 *
 * @throws NonFinite if a number of the step is NaN or infinite; nothing has changed then
 */
export function trainStep(parts: StepParts, events: readonly TrainingEvent[]): TrainedStep {
  const { model, classifier, shift, classRate } = parts
  const { labels, weights, embeddings, rewards, ...computed } = forwardBackward(parts, events)

  const { applied, gradNorm, lr } = model.apply()
  if (!applied) throw new NonFinite('gradient', events)

  const before = { upShare: classRate.share(true), classifier: classifier.health() }
  shift.update({ rewards, labels, weights })
  classRate.update(labels)
  classifier.update(embeddings, labels, weights)
  return measureStep({ events, rewards, gradNorm, lr, ...computed, ...before })
}

/**
 * Computes loss and gradient of `events`. The session's accumulated gradient is theirs afterwards; nothing else changes.
 *
 * @throws NonFinite if a log-probability or reward is NaN or infinite
 */
export function forwardBackward(parts: StepParts, events: readonly TrainingEvent[]) {
  const { classifier, embedder, shift, beta, reduction } = parts
  const labels = events.map(({ label }) => label)
  const weights = events.map(({ weight }) => weight)
  const packed = parts.pack(events)

  // log πref(y|x), and what the prompt classifier sees of x
  const reference = packed.reference()
  assertFinite('reference', reference.logps, events)
  const embeddings = events.map((event, i) =>
    classifier.needsEmbeddings ? embedder.embed(event, reference.embeddings[i] as Float64Array) : null,
  )

  // w(x), section 4.2
  const densityRatio = classifier.densityRatios(embeddings, labels)

  // δ, equation 7; TRL's takes in the rewards of the step itself
  let ownRewards: readonly number[] = []
  if (shift.needsRewards) {
    ownRewards = packed.policyLogps().map((logp, i) => beta * (logp - (reference.logps[i] as number)))
    assertFinite('reward', ownRewards, events)
  }
  const delta = shift.delta({ rewards: ownRewards, labels, weights })

  // L = Σ c softplus(∓(r − δ)) with r = β (log πθ − log πref), and its gradient
  const { loss, policyLogps, rewards } = packed.accumulate({
    referenceLogps: reference.logps,
    labels,
    coefficients: coefficients({ labels, weights, densityRatios: densityRatio.values }, reduction),
    delta,
  })
  assertFinite('reward', rewards, events)

  const microBatches = packed.batches.map((batch) => batch.events)
  const referenceLogps = reference.logps
  return { labels, weights, embeddings, referenceLogps, densityRatio, delta, loss, policyLogps, rewards, microBatches }
}

/** Whether the step of these events would not be finite; applies nothing. */
export function isNonFinite(parts: StepParts, events: readonly TrainingEvent[]): boolean {
  try {
    forwardBackward(parts, events)
    return !parts.model.gradientIsFinite
  } catch (error) {
    if (error instanceof NonFinite) return true
    throw error
  }
}
