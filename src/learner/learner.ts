import { type Adapter, adapterSha256, requireFinite } from '../adapters/adapter.js'
import { readAdapter } from '../adapters/peft.js'
import type { StateTensor } from '../checkpoint/snapshot.js'
import type { Executor } from '../engine/index.js'
import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import { ClassRate } from '../loss/class-rate.js'
import { coefficients, type Reduction } from '../loss/coefficients.js'
import { ClassBalancedShift, PooledMeanShift, type RewardShift } from '../loss/reward-shift.js'
import { readArchitecture } from '../model/architecture.js'
import type { BlockShape } from '../model/block-shape.js'
import { generate, type SamplingOptions } from '../model/generate.js'
import {
  addsNothing,
  initialLora,
  type LoraOptions,
  loraFromAdapter,
  loraParameters,
  toAdapter,
} from '../model/lora.js'
import { describeNonFinite, findNonFiniteWeight } from '../model/non-finite.js'
import type { Embedding } from '../ratio/classifier-model.js'
import type { DensityRatios } from '../ratio/density-ratio.js'
import { type PromptEmbedder, promptEmbedder } from '../ratio/embedders/embedder.js'
import { PromptClassifier } from '../ratio/prompt-classifier.js'
import { openModelTensors } from '../safetensors/directory.js'
import type { TokenPair } from './block.js'
import type { LearnerConfig } from './config.js'
import { BlockOutOfMemory, ModelSession } from './model-session.js'
import { blockShapes, type MicroBatch, planMicroBatches } from './shapes.js'
import { readLearnerState, writeLearnerState } from './state.js'
import { type AppliedStep, measureStep, type TrainedEvent } from './step.js'

export interface LearnerOptions {
  /** The executor that a checkpoint was made with; null: as the config says. */
  readonly executor?: Executor | null
  /** How many prompts are answered at once, and the longest answer; null where nothing is sampled. */
  readonly decoder?: { readonly rows: number; readonly length: number } | null
  /** Needed for `score`; `bco.mode = trl` scores in any case. */
  readonly scoring?: boolean
  /** False for a learner that only scores and answers. */
  readonly training?: boolean
  readonly onCompiled?: (program: string, ms: number) => void
}

/** What became of the events handed to one step. */
export interface StepOutcome {
  /** null where no event was left to train. */
  readonly applied: AppliedStep | null
  /** Events put aside for a log-prob or gradient that is not finite, as indexes into those handed over. */
  readonly quarantined: readonly number[]
  /** Events put aside because memory allows no block that holds them. */
  readonly refused: readonly number[]
  /** Positions of the largest block that memory allows; null as long as no block was refused. */
  readonly blockLimit: number | null
}

/** A step computed but not applied. */
interface Attempt {
  readonly trained: readonly TrainedEvent[]
  readonly plan: readonly MicroBatch[]
  /** Events with a log-prob or reward that is not finite; where there are any, the rest of this means nothing. */
  readonly nonFinite: Set<TrainingEvent>
  /** The reference itself is not finite for some: the adapter is not at fault. */
  readonly referenceFinite: boolean
  readonly density: DensityRatios
  readonly delta: number
  readonly loss: number
  readonly upShare: number
}

/**
 * The learner: a model with its adapter, δ, class rate and prompt classifier. `step` is the whole of online BCO; it
 * either applies a step and moves every state once, or changes nothing.
 *
 * All calls are synchronous and long: run it in a worker where something else must go on.
 */
export class Learner {
  readonly #session: ModelSession
  readonly #shift: RewardShift
  readonly #classRate: ClassRate
  readonly #classifier: PromptClassifier
  readonly #embedder: PromptEmbedder
  readonly #lora: LoraOptions
  #step = 0
  #blockLimit: number | null = null

  constructor(
    readonly config: LearnerConfig,
    options: LearnerOptions = {},
  ) {
    const { bco, lora, model, ratio } = config
    if (model.path === null)
      throw new BcodError('CONFIG_MISSING', 'no model directory is given', { place: 'model.path' })
    const architecture = readArchitecture(model.path)
    this.#lora = lora
    this.#shift = bco.mode === 'trl' ? new PooledMeanShift() : new ClassBalancedShift(bco.deltaHalfLife)
    this.#classRate = new ClassRate(bco.deltaHalfLife)
    this.#embedder = promptEmbedder(ratio, model.reference)
    this.#classifier = this.emptyClassifier()
    const parameters = loraParameters(architecture, lora)
    const from = (directory: string) =>
      loraFromAdapter(parameters, lora, requireFinite(readAdapter(directory), directory), directory)
    this.#session = new ModelSession({
      modelPath: model.path,
      dtype: model.dtype,
      executor: options.executor ?? resolveExecutor(model.executor),
      lora,
      shapes: blockShapes(
        Math.min(config.limits.maxLength, architecture.maxPositions),
        config.batch.tokens,
        config.batch.size,
      ),
      optimizer: config.optimizer,
      beta: bco.beta,
      gradientCheckpointing: model.gradientCheckpointing,
      purposes: [
        ...(options.training === false ? [] : ['train' as const]),
        ...(options.scoring || bco.mode === 'trl' ? ['score' as const] : []),
      ],
      decoder: options.decoder ?? null,
      referenceLora: model.reference === 'base' ? null : from(model.reference),
      ...(options.onCompiled ? { onCompiled: options.onCompiled } : {}),
    })
    this.#writeAdapter(lora.init === null ? initialLora(parameters, config.seed) : from(lora.init))
  }

  /** Steps applied so far. */
  get step(): number {
    return this.#step
  }

  /** δ as the next step will find it, before its own rewards. */
  get delta(): number {
    return this.#shift.delta({ rewards: [], labels: [], weights: [] })
  }

  /** What the operator should know of how the model was read. */
  get notes(): readonly string[] {
    return this.#session.note === null ? [] : [this.#session.note]
  }

  /** Longest event that the learner takes, in tokens. */
  get maxLength(): number {
    return Math.min(this.config.limits.maxLength, this.#session.model.architecture.maxPositions)
  }

  get vocabSize(): number {
    return this.#session.model.architecture.vocabSize
  }

  /** Whatever changes bits, resolved once: a checkpoint keeps it and a replay uses it again. */
  get resolved(): {
    readonly executor: Executor
    readonly dtype: string
    readonly threads: number
    readonly layers: string
  } {
    const { executor, dtype } = this.#session.options
    return { executor, dtype, threads: Number(process.env.TF_NUM_INTRAOP_THREADS ?? 0), layers: 'loop-over-layers/4' }
  }

  /**
   * One step of online BCO over `events`. Where the device has no memory for a block, the step is done again in smaller
   * ones, and so are all that follow.
   *
   * @throws STEP_NONFINITE where the gradient is not finite and no event is the culprit
   * @throws MODEL_NONFINITE where the reference is not finite for any text
   * @throws DEVICE_OUT_OF_MEMORY where there is no memory for the smallest block either
   */
  trainStep(events: readonly TrainingEvent[]): StepOutcome {
    const indexOf = new Map(events.map((event, index) => [event, index]))
    const indexes = (of: Iterable<TrainingEvent>) => Array.from(of, (event) => indexOf.get(event) as number)
    const quarantined: TrainingEvent[] = []
    const refused: TrainingEvent[] = []
    const outcome = (applied: AppliedStep | null): StepOutcome => ({
      ...{ applied, quarantined: indexes(quarantined), refused: indexes(refused) },
      blockLimit: this.#blockLimit,
    })
    for (let remaining = events; remaining.length > 0; ) {
      const tooLong = new Set(remaining.filter((event) => lengthOf(event) > this.#longest))
      refused.push(...tooLong)
      remaining = remaining.filter((event) => !tooLong.has(event))
      if (remaining.length === 0) break
      const result = this.#withinMemory(() => this.#tryStep(remaining))
      if (result === null) continue
      if ('applied' in result) return outcome({ ...result.applied, trained: indexes(remaining) })
      quarantined.push(...remaining.filter((event) => result.culprits.has(event)))
      remaining = remaining.filter((event) => !result.culprits.has(event))
    }
    return outcome(null)
  }

  /** Takes no block of more positions; null: as large as the settings say. */
  limitBlocks(limit: number | null): void {
    this.#blockLimit = limit
  }

  /** Applies a step over `events`; where it is not finite, the events that make it so. */
  #tryStep(
    events: readonly TrainingEvent[],
  ): { readonly applied: Omit<AppliedStep, 'trained'> } | { readonly culprits: ReadonlySet<TrainingEvent> } {
    const attempt = this.#attempt(events)
    if (attempt.nonFinite.size === 0) {
      const { applied, gradNorm, lr } = this.#session.apply()
      if (applied) return { applied: this.#commit(attempt, gradNorm, lr) }
    }
    // events that share a block's grid can spoil each other: only what fails by itself is a culprit
    const culprits = this.#culprits(attempt.nonFinite.size > 0 ? [...attempt.nonFinite] : events)
    this.#assertHealthy(attempt, culprits)
    return { culprits }
  }

  /** @returns null where memory was too small for a block: smaller ones are used from then on, and nothing has changed */
  #withinMemory<T>(run: () => T): T | null {
    try {
      return run()
    } catch (error) {
      if (!(error instanceof BlockOutOfMemory)) throw error
      const smaller = this.#shapes.filter(({ tokens }) => tokens < error.shape.tokens).at(-1)
      if (smaller === undefined) throw error
      this.#blockLimit = smaller.tokens
      return null
    }
  }

  /** The block shapes that memory allows, as far as is known. */
  get #shapes(): readonly BlockShape[] {
    const limit = this.#blockLimit ?? Number.POSITIVE_INFINITY
    return this.#session.options.shapes.filter(({ tokens }) => tokens <= limit)
  }

  /** Tokens of the longest event that memory allows, as far as is known. */
  get #longest(): number {
    return this.#blockLimit === null ? Number.POSITIVE_INFINITY : Math.max(...this.#shapes.map(({ length }) => length))
  }

  /**
   * Log-probabilities under policy and reference; no state moves.
   * @throws MODEL_NONFINITE where the reference is not finite for any text
   */
  score(pairs: readonly TokenPair[]): Scores {
    const first = this.#scoreWithinMemory(pairs)
    if (pairs.length > 0 && !first.some(({ reference }) => Number.isFinite(reference))) this.#assertReference()
    const scores = apart(pairs, first, (some) => this.#scoreWithinMemory(some), isFiniteScore)
    return { policy: scores.map(({ policy }) => policy), reference: scores.map(({ reference }) => reference) }
  }

  #scoreWithinMemory(pairs: readonly TokenPair[]): readonly Score[] {
    for (;;) {
      const scores = this.#withinMemory(() => this.#score(pairs))
      if (scores !== null) return pairs.map((_, i) => ({ policy: scores.policy[i]!, reference: scores.reference[i]! }))
    }
  }

  #score(pairs: readonly TokenPair[]): Scores {
    const policy = new Array<number>(pairs.length)
    const reference = new Array<number>(pairs.length)
    const same = this.config.model.reference === 'base' && addsNothing(this.#session.model.lora, this.#adapterValues())
    for (const { shape, events } of this.#plan(pairs)) {
      const block = events.map((index) => pairs[index] as TokenPair)
      const references = this.#session.prepare(block, shape).logps
      const scores = same ? references : this.#session.score(block, shape).logps
      events.forEach((index, row) => {
        policy[index] = scores[row] as number
        reference[index] = references[row] as number
      })
    }
    return { policy, reference }
  }

  /**
   * What the prompt classifier sees of each prompt; null also where the model computes nothing finite. No state moves.
   * @throws MODEL_NONFINITE where that is so for any text
   */
  embeddings(events: readonly TrainingEvent[]): readonly (Embedding | null)[] {
    const first = this.#promptStates(events)
    if (events.length > 0 && !first.some(isFiniteState)) this.#assertReference()
    const states = apart(events, first, (some) => this.#promptStates(some), isFiniteState)
    return states.map((state, i) =>
      isFiniteState(state) ? this.#embedder.embed(events[i] as TrainingEvent, state.embedding) : null,
    )
  }

  #promptStates(events: readonly TrainingEvent[]): readonly PromptState[] {
    const states = new Array<PromptState>(events.length)
    for (const { shape, events: rows } of this.#plan(events)) {
      const block = rows.map((index) => events[index] as TrainingEvent)
      const { logps, embeddings } = this.#session.prepare(block, shape)
      rows.forEach((index, row) => {
        states[index] = { logp: logps[row] as number, embedding: embeddings[row] as Float64Array }
      })
    }
    return states
  }

  /** A prompt classifier of these settings that has learnt nothing. */
  emptyClassifier(): PromptClassifier {
    const { ratio, seed } = this.config
    return new PromptClassifier({ ...ratio, seed, embedder: this.#embedder.identity })
  }

  /**
   * Samples answers with the current adapter, as many prompts at once as the decoder has rows.
   * @throws MODEL_NONFINITE where a token has no probability
   */
  generate(prompts: readonly (readonly number[])[], options: SamplingOptions): readonly (readonly number[])[] {
    const { decoder } = this.#session.options
    if (decoder === null) throw new BcodError('INTERNAL', 'this learner was made without a decoder')
    const answers = generate(this.#session.session, decoder, prompts, options)
    if (answers !== null) return answers
    this.#assertReference()
    throw new BcodError('MODEL_NONFINITE', 'a token has no probability: it is NaN or infinite', this.#modelPlace())
  }

  adapter(): Adapter {
    return toAdapter(this.#session.model.lora, this.#lora, this.#adapterValues(), this.config.model.path)
  }

  adapterSha256(): string {
    return adapterSha256(this.adapter().tensors)
  }

  /** Everything but the adapter itself that the next step depends on. */
  state(): ReadonlyMap<string, StateTensor> {
    const { lora } = this.#session.model
    const [firstMoment, secondMoment] = this.#session.session.read(lora.firstMoment.name, lora.secondMoment.name)
    return writeLearnerState({
      step: this.#step,
      firstMoment: firstMoment as Float32Array,
      secondMoment: secondMoment as Float32Array,
      shift: this.#shift.snapshot(),
      classRate: this.#classRate.snapshot(),
      classifier: this.#classifier.snapshot(),
      blockLimit: this.#blockLimit === null ? null : { positions: this.#blockLimit, of: this.config.batch.tokens },
    })
  }

  /**
   * Takes up the adapter and state of a checkpoint.
   *
   * @returns whether the prompt classifier was part of it; one that learnt from other embeddings begins anew
   */
  restore(adapter: Adapter, tensors: ReadonlyMap<string, StateTensor>): { readonly classifierKept: boolean } {
    const { lora } = this.#session.model
    const state = readLearnerState(tensors, lora.size)
    this.#session.session.write({
      [lora.values.name]: loraFromAdapter(lora, this.#lora, adapter, 'checkpoint'),
      [lora.firstMoment.name]: state.firstMoment,
      [lora.secondMoment.name]: state.secondMoment,
      [lora.step.name]: Int32Array.of(state.step),
    })
    this.#step = state.step
    this.#shift.restore(state.shift)
    this.#classRate.restore(state.classRate)
    const classifierKept = this.#classifier.restore(state.classifier)
    // a limit that was found under other settings says nothing of these
    this.#blockLimit = state.blockLimit?.of === this.config.batch.tokens ? state.blockLimit.positions : null
    return { classifierKept }
  }

  dispose(): void {
    this.#session.session.dispose()
  }

  /** Forward and backward over all micro-batches; the accumulated gradient is the step's, nothing else has changed. */
  #attempt(events: readonly TrainingEvent[]): Attempt {
    const plan = this.#plan(events)
    const trained = events.map(
      (event): TrainedEvent => ({ event, reference: 0, policy: 0, reward: 0, ratio: 1, embedding: null }),
    )
    const at = (index: number) => trained[index] as TrainedEvent
    for (const { shape, events: rows } of plan) {
      const prepared = this.#session.prepare(
        rows.map((index) => at(index).event),
        shape,
      )
      rows.forEach((index, row) => {
        at(index).reference = prepared.logps[row] as number
        if (this.#classifier.needsEmbeddings)
          at(index).embedding = this.#embedder.embed(at(index).event, prepared.embeddings[row] as Float64Array)
      })
    }
    const nonFinite = new Set<TrainingEvent>()
    const check = (value: (event: TrainedEvent) => number) => {
      for (const entry of trained) if (!Number.isFinite(value(entry))) nonFinite.add(entry.event)
      return nonFinite.size === 0
    }
    const nothing = { weights: new Float64Array(0), clampedLow: 0, clampedHigh: 0, effectiveSampleRatio: 1 }
    const failed = (referenceFinite: boolean) => ({
      ...{ trained, plan, nonFinite, referenceFinite },
      ...{ density: nothing, delta: 0, loss: 0, upShare: 0 },
    })
    if (!check((entry) => entry.reference)) return failed(false)

    const labels = events.map((event) => event.label)
    const weights = events.map((event) => event.weight)
    const density = this.#classifier.weights(
      trained.map((entry) => entry.embedding),
      labels,
    )
    const ratios = density.weights
    ratios.forEach((ratio, index) => {
      at(index).ratio = ratio
    })
    if (this.#shift.needsRewards) {
      for (const { shape, events: rows } of plan) {
        const { logps } = this.#session.score(
          rows.map((index) => at(index).event),
          shape,
        )
        rows.forEach((index, row) => {
          at(index).reward = this.config.bco.beta * ((logps[row] as number) - at(index).reference)
        })
      }
      if (!check((entry) => entry.reward)) return failed(true)
    }
    const delta = this.#shift.delta({ rewards: trained.map((entry) => entry.reward), labels, weights })
    const shares = coefficients({ labels, weights, ratios }, this.#reduction())

    let loss = 0
    plan.forEach(({ shape, events: rows }, number) => {
      const per = {
        referenceLogps: rows.map((index) => at(index).reference),
        labels: rows.map((index) => at(index).event.label),
        coefficients: rows.map((index) => shares[index] as number),
      }
      const result = this.#session.accumulate(
        rows.map((index) => at(index).event),
        shape,
        per,
        delta,
        number === 0,
      )
      loss += result.loss
      rows.forEach((index, row) => {
        at(index).policy = result.logps[row] as number
        at(index).reward = result.rewards[row] as number
      })
    })
    check((entry) => entry.reward)
    return {
      trained,
      plan,
      nonFinite,
      referenceFinite: true,
      density,
      delta,
      loss,
      upShare: this.#classRate.share(true),
    }
  }

  /** Moves δ, class rate and classifier once, after the step has been applied. */
  #commit(attempt: Attempt, gradNorm: number, lr: number): Omit<AppliedStep, 'trained'> {
    this.#step += 1
    const { trained, plan, density, delta, loss, upShare } = attempt
    const events = trained.map(({ event }) => event)
    const rewards = trained.map(({ reward }) => reward)
    const labels = events.map(({ label }) => label)
    const weights = events.map(({ weight }) => weight)
    const classifier = this.#classifier.health()
    this.#shift.update({ rewards, labels, weights })
    this.#classRate.update(labels)
    this.#classifier.update(
      trained.map(({ embedding }) => embedding),
      labels,
      weights,
    )
    return {
      ...measureStep({ step: this.#step, trained, delta, loss, gradNorm, lr, density, classifier }),
      ratios: trained.map(({ ratio }) => ratio),
      microBatches: plan.map((batch) => batch.events),
      upShare,
      adapterSha256: this.adapterSha256(),
    }
  }

  /** The events that by themselves have a log-probability or gradient that is not finite. */
  #culprits(events: readonly TrainingEvent[]): Set<TrainingEvent> {
    const { nonFinite } = this.#attempt(events)
    const { lora } = this.#session.model
    const gradient = () => this.#session.session.read(lora.gradient.name)[0] as Float32Array
    if (nonFinite.size === 0 && gradient().every(Number.isFinite)) return new Set()
    if (events.length === 1) return new Set(events)
    const middle = events.length >> 1
    return new Set([...this.#culprits(events.slice(0, middle)), ...this.#culprits(events.slice(middle))])
  }

  /** Where none fails alone, or every event does and the reference does not, the fault is not theirs. */
  #assertHealthy({ trained, referenceFinite }: Attempt, culprits: ReadonlySet<TrainingEvent>): void {
    const place = `step ${this.#step + 1}`
    if (!referenceFinite && culprits.size === trained.length) this.#assertReference()
    if (referenceFinite && trained.length > 1 && culprits.size === trained.length)
      throw new BcodError('STEP_NONFINITE', 'no event of the step is finite: the adapter has diverged', { place })
    if (culprits.size === 0)
      throw new BcodError('STEP_NONFINITE', 'the step is not finite, and no event alone makes it so', { place })
  }

  /**
   * Where no event of a step is finite under the reference, either all of them hold what it cannot take, or it can take
   * nothing: texts of its own tell.
   */
  #assertReference(): void {
    const finite = referenceProbes(this.vocabSize).some((probe) =>
      this.#plan([probe]).every(({ shape }) => this.#session.prepare([probe], shape).logps.every(Number.isFinite)),
    )
    if (!finite) throw new BcodError('MODEL_NONFINITE', this.#whyNonFinite(), this.#modelPlace())
  }

  #modelPlace() {
    const { path, reference } = this.config.model
    return { place: reference === 'base' ? (path as string) : reference }
  }

  /** Which weight is to blame; every one is read for it. */
  #whyNonFinite(): string {
    const reader = openModelTensors(this.#session.options.modelPath)
    try {
      const found = findNonFiniteWeight(this.#session.model.architecture, reader)
      return found === null
        ? 'the reference is NaN or infinite for every text, though every weight is finite: its numbers overflow'
        : `the reference is NaN or infinite for every text: ${describeNonFinite(found)}`
    } finally {
      reader.close()
    }
  }

  #plan(pairs: readonly TokenPair[]): readonly MicroBatch[] {
    const lengths = pairs.map(lengthOf)
    const longest = Math.max(...lengths)
    if (longest > this.#longest)
      throw new BcodError('DEVICE_OUT_OF_MEMORY', `there is no memory for ${longest} tokens at once`)
    return planMicroBatches(lengths, this.#shapes)
  }

  #reduction(): Reduction {
    const { mode, reduction } = this.config.bco
    if (mode === 'trl') return { mode }
    return reduction === 'classMean' ? { mode, reduction } : { mode, reduction, classRate: this.#classRate }
  }

  #adapterValues(): Float32Array {
    return this.#session.session.read(this.#session.model.lora.values.name)[0] as Float32Array
  }

  #writeAdapter(values: Float32Array): void {
    this.#session.session.write({ [this.#session.model.lora.values.name]: values })
  }
}

/** Log-probabilities by event. */
interface Scores {
  readonly policy: readonly number[]
  readonly reference: readonly number[]
}

interface Score {
  readonly policy: number
  readonly reference: number
}

const isFiniteScore = ({ policy, reference }: Score): boolean => Number.isFinite(policy) && Number.isFinite(reference)

/** What the reference makes of an event: its answer's log-probability, and the prompt's embedding. */
interface PromptState {
  readonly logp: number
  readonly embedding: Float64Array
}

const isFiniteState = ({ logp }: PromptState): boolean => Number.isFinite(logp)

/**
 * Events that share a block's grid can spoil each other: those of which nothing finite came are computed again among
 * fewer, down to one alone.
 */
function apart<T, R>(
  items: readonly T[],
  results: readonly R[],
  compute: (items: readonly T[]) => readonly R[],
  good: (result: R) => boolean,
): readonly R[] {
  const bad = results.flatMap((result, index) => (good(result) ? [] : [index]))
  if (bad.length === 0 || items.length === 1) return results
  const again = new Map<number, R>()
  const middle = Math.ceil(bad.length / 2)
  for (const part of [bad.slice(0, middle), bad.slice(middle)]) {
    if (part.length === 0) continue
    const some = part.map((index) => items[index] as T)
    const fresh = apart(some, compute(some), compute, good)
    for (const [i, index] of part.entries()) again.set(index, fresh[i] as R)
  }
  return results.map((result, index) => again.get(index) ?? result)
}

/** Short texts without an order: if the model can take anything, it takes one of them. */
const referenceProbes = (vocabSize: number): readonly TokenPair[] =>
  [1, 7, 61, 521].map((step) => {
    const ids = Array.from({ length: 4 }, (_, i) => (5 + step * (i + 1)) % vocabSize)
    return { promptTokens: ids.slice(0, 2), completionTokens: ids.slice(2) }
  })

const lengthOf = ({ promptTokens, completionTokens }: TokenPair): number =>
  promptTokens.length + completionTokens.length

/** `auto`: the graph executor. XLA gains a few percent in f32 on a CPU and costs seconds per shape (docs/adr/002). */
const resolveExecutor = (wanted: 'auto' | Executor): Executor => (wanted === 'auto' ? 'graph' : wanted)
