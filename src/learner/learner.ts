import { type Adapter, adapterSha256 } from '../adapters/weights/adapter.js'
import type { StateTensor } from '../checkpoint/snapshot.js'
import { preparedSettings, usesGpu } from '../engine/index.js'
import type { TrainingEvent } from '../events/types.js'
import { ClassRate } from '../loss/class-rate.js'
import type { Reduction } from '../loss/coefficients.js'
import { ClassBalancedShift, PooledMeanShift, type RewardShift } from '../loss/reward-shift.js'
import type { SamplingOptions } from '../model/generate.js'
import { addsNothing, loraFromAdapter, toAdapter } from '../model/lora.js'
import type { Embedding } from '../ratio/classifier-model.js'
import { type PromptEmbedder, promptEmbedder } from '../ratio/embedders/embedder.js'
import { PromptClassifier } from '../ratio/prompt-classifier.js'
import { AffordableShapes } from './affordable-shapes.js'
import { type LearnerConfig, PROGRAMS } from './config.js'
import { GivenAdapters } from './given-adapters.js'
import { Inference, type Scores } from './inference.js'
import { type BeginningCounts, countsSince } from './known-beginnings.js'
import type { ModelSession } from './model-session.js'
import { type LearnerOptions, openModel } from './open-model.js'
import { packEvents } from './packed-events.js'
import type { MicroBatch } from './packed-shapes.js'
import { refusePlaces } from './place-check.js'
import type { PlaceUse } from './place-times.js'
import { withoutCulprits } from './quarantine.js'
import type { Resolved } from './resolved.js'
import { readLearnerState, writeLearnerState } from './state.js'
import type { AppliedStep } from './step.js'
import { type TokenPair, tokensOf } from './token-trees.js'
import { isNonFinite, type StepParts, trainStep } from './training-step.js'

/** What became of the events handed to one step. */
export interface StepOutcome {
  /** null if no event was left to train. */
  readonly applied: AppliedStep | null
  /** Events left out because a log-prob or gradient is not finite, as indexes into those handed over. */
  readonly quarantined: readonly number[]
  /** Events left out because the device has no memory for their length. */
  readonly refused: readonly number[]
  /** Tokens of the largest packed batch that memory allows; null as long as none was too large. */
  readonly blockLimit: number | null
  /** What became of beginnings that events have in common; null if they have none. */
  readonly beginnings: BeginningCounts | null
}

/**
 * A model with its adapter, δ, class rate and prompt classifier. `trainStep` is the whole of online BCO: it applies one
 * step and moves every state once, or changes nothing.
 *
 * All calls are synchronous and long: run it in a worker if something else must go on.
 */
export class Learner {
  readonly #model: ModelSession
  readonly #shapes: AffordableShapes
  readonly #inference: Inference
  readonly #given: GivenAdapters
  readonly #embedder: PromptEmbedder
  readonly #classifier: PromptClassifier
  readonly #shift: RewardShift
  readonly #classRate: ClassRate
  #step = 0
  /** Steps up to `#step` that the optimizer has not seen, because learning went on from an older version. */
  #abandoned = 0

  constructor(
    readonly config: LearnerConfig,
    options: LearnerOptions = {},
  ) {
    const { bco, model, ratio } = config
    this.#embedder = promptEmbedder(ratio, model.reference)
    this.#classifier = this.emptyClassifier()
    this.#shift = bco.mode === 'trl' ? new PooledMeanShift() : new ClassBalancedShift(bco.deltaHalfLife)
    this.#classRate = new ClassRate(bco.deltaHalfLife)
    this.#model = openModel(config, options)
    this.#shapes = new AffordableShapes(this.#model.options.shapes)
    const reference = model.reference === 'base' ? this.#model.options.modelPath : model.reference
    this.#inference = new Inference(this.#model, this.#shapes, reference)
    this.#given = new GivenAdapters(this.#model, config.lora, config.batch.tokens)
  }

  /** Steps applied so far. */
  get step(): number {
    return this.#step
  }

  /** δ as the next step will find it, before its own rewards. */
  get delta(): number {
    return this.#shift.current
  }

  /** What the operator should know of how the model was read. */
  get notes(): readonly string[] {
    return this.#model.note === null ? [] : [this.#model.note]
  }

  /** By place, the first first. */
  get placeUse(): readonly PlaceUse[] {
    return this.#model.placeTimes.use
  }

  /** Longest event that the learner takes, in tokens. */
  get maxLength(): number {
    return Math.min(this.config.limits.maxLength, this.#model.model.architecture.maxPositions)
  }

  get vocabSize(): number {
    return this.#model.model.architecture.vocabSize
  }

  /** Whatever changes bits, resolved once. Checkpoints and the journal keep it; a replay follows its changes. */
  get resolved(): Resolved {
    const { stages, options } = this.#model
    const { executor, dtype } = options
    const spread = stages > 1 ? { stages } : {}
    const kept = { executor, dtype, ...preparedSettings(), layers: PROGRAMS, ...spread }
    return usesGpu() ? { ...kept, device: 'gpu', tf32: this.config.model.tf32 } : { ...kept, device: 'cpu' }
  }

  /** How a step of these events would be packed. */
  plan(events: readonly TrainingEvent[]): readonly MicroBatch[] {
    return packEvents(this.#model, this.#shapes, events).batches
  }

  /**
   * One step of online BCO on `events`. Events that are not finite by themselves, or too long for the device's memory,
   * are left out. If the device has no memory for a packed batch, the step is done again in smaller ones, and so are
   * all that follow.
   *
   * @throws STEP_NONFINITE if the gradient is not finite and no event is the culprit
   * @throws MODEL_NONFINITE if the reference is not finite for any text
   * @throws DEVICE_OUT_OF_MEMORY if there is no memory for the smallest batch either
   */
  trainStep(events: readonly TrainingEvent[]): StepOutcome {
    const before = this.#model.reference.counts
    return this.#shapes.retrySmaller(() => {
      const fitting = events.filter((event) => tokensOf(event) <= this.#shapes.longestSequence)
      const { result, trained, culprits } = withoutCulprits(fitting, {
        run: (some) => trainStep(this.#parts, some),
        fails: (some) => isNonFinite(this.#parts, some),
        assertReference: () => this.#inference.assertReference(),
        place: `step ${this.#step + 1}`,
      })
      const indexesOf = (some: readonly TrainingEvent[]) => some.map((event) => events.indexOf(event))
      if (result !== null) this.#step += 1
      return {
        applied: result && {
          ...result,
          step: this.#step,
          trained: indexesOf(trained),
          adapterSha256: this.adapterSha256(),
        },
        quarantined: indexesOf(culprits),
        refused: indexesOf(events.filter((event) => !fitting.includes(event))),
        blockLimit: this.#shapes.limit,
        beginnings: countsSince(before, this.#model.reference.counts),
      }
    })
  }

  /** Uses no packed batch of more tokens; null: as large as the settings say. */
  limitBlocks(limit: number | null): void {
    this.#shapes.limit = limit
  }

  /**
   * Log-probabilities under policy and reference; no state moves.
   * @throws MODEL_NONFINITE if the reference is not finite for any text
   */
  score(pairs: readonly TokenPair[]): Scores {
    const adapted = !addsNothing(this.#model.model.lora, this.#model.adapterValues)
    return this.#inference.score(pairs, this.config.model.reference === 'base' && !adapted)
  }

  /**
   * What the prompt classifier sees of each prompt; null also if the model computes nothing finite. No state moves.
   * @throws MODEL_NONFINITE if that is so for any text
   */
  embeddings(events: readonly TrainingEvent[]): readonly (Embedding | null)[] {
    const states = this.#inference.promptStates(events)
    return states.map(({ reference, embedding }, i) =>
      Number.isFinite(reference) ? this.#embedder.embed(events[i] as TrainingEvent, embedding) : null,
    )
  }

  /** A prompt classifier of these settings that has learnt nothing. */
  emptyClassifier(): PromptClassifier {
    const { ratio, seed } = this.config
    return new PromptClassifier({ ...ratio, seed, embedder: this.#embedder.identity })
  }

  /**
   * Samples answers with the current adapter, at all places, in groups of as many prompts as the decoder has rows.
   * @throws MODEL_NONFINITE if a token has no probability
   */
  generate(prompts: readonly (readonly number[])[], options: SamplingOptions): readonly (readonly number[])[] {
    return this.#inference.generate(prompts, options)
  }

  /** `GivenAdapters.logps`. */
  logpsUnder(adapter: Adapter | null, pairs: readonly TokenPair[]): readonly (number | null)[] {
    return this.#given.logps(adapter, pairs, this.#shapes.limit)
  }

  /** `GivenAdapters.divergences`. */
  divergences(adapter: Adapter, other: Adapter | null, pairs: readonly TokenPair[]): readonly (number | null)[] {
    return this.#given.divergences(adapter, other, pairs, this.#shapes.limit)
  }

  /** `GivenAdapters.answers`. */
  answersUnder(...args: Parameters<GivenAdapters['answers']>): readonly (readonly number[])[] {
    return this.#given.answers(...args)
  }

  /** `GivenAdapters.weightNorms`. */
  weightNorms(modules: readonly string[]): readonly number[] {
    return this.#given.weightNorms(modules)
  }

  adapter(): Adapter {
    const { adapterValues, model } = this.#model
    return toAdapter(model.lora, this.config.lora, adapterValues, this.config.model.path)
  }

  adapterSha256(): string {
    return adapterSha256(this.adapter().tensors)
  }

  /** Everything but the adapter itself that the next step depends on. */
  state(): ReadonlyMap<string, StateTensor> {
    const { limit } = this.#shapes
    return writeLearnerState({
      step: this.#step,
      abandoned: this.#abandoned,
      ...this.#model.moments,
      shift: this.#shift.snapshot(),
      classRate: this.#classRate.snapshot(),
      classifier: this.#classifier.snapshot(),
      blockLimit: limit === null ? null : { positions: limit, of: this.config.batch.tokens },
    })
  }

  /**
   * Takes up the adapter and state of a checkpoint.
   *
   * @returns whether the prompt classifier was part of it; one that learnt from other embeddings starts over
   */
  restore(adapter: Adapter, tensors: ReadonlyMap<string, StateTensor>): { readonly classifierKept: boolean } {
    const { lora } = this.#model.model
    const state = readLearnerState(tensors, lora.size)
    const values = loraFromAdapter(lora, this.config.lora, adapter, 'checkpoint')
    this.#model.restore(values, state, state.step - state.abandoned)
    this.#step = state.step
    this.#abandoned = state.abandoned
    this.#shift.restore(state.shift)
    this.#classRate.restore(state.classRate)
    // a limit that was found under other settings says nothing of these
    this.#shapes.limit = state.blockLimit?.of === this.config.batch.tokens ? state.blockLimit.positions : null
    return { classifierKept: this.#classifier.restore(state.classifier) }
  }

  /**
   * Goes on from the checkpoint of an older step, under a number of its own: numbers of steps are never used twice. The
   * optimizer counts, and the rate is scheduled, as it was then.
   *
   * @param at  the number, above that of every step so far
   */
  resume(
    adapter: Adapter,
    tensors: ReadonlyMap<string, StateTensor>,
    at: number,
  ): { readonly classifierKept: boolean } {
    const restored = this.restore(adapter, tensors)
    this.#abandoned += at - this.#step
    this.#step = at
    return restored
  }

  /** `ModelSession.reopen`; places that compute other bits than the first are dropped. */
  reopen(workers: readonly string[]): void {
    this.#model.reopen(workers)
    refusePlaces(this.#model)
  }

  dispose(): void {
    this.#model.dispose()
  }

  get #parts(): StepParts {
    return {
      model: this.#model,
      pack: (events) => packEvents(this.#model, this.#shapes, events),
      embedder: this.#embedder,
      classifier: this.#classifier,
      shift: this.#shift,
      classRate: this.#classRate,
      beta: this.config.bco.beta,
      reduction: this.#reduction,
    }
  }

  get #reduction(): Reduction {
    const { mode, reduction } = this.config.bco
    if (mode === 'trl') return { mode }
    return reduction === 'classMean' ? { mode, reduction } : { mode, reduction, classRate: this.#classRate }
  }
}
