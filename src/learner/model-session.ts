import {
  type Executor,
  type Later,
  type OptimizerOptions,
  type Places,
  Session,
  usesGpu,
  type Variable,
} from '../engine/index.js'
import { BcodError } from '../errors.js'
import { readArchitecture } from '../model/architecture.js'
import type { DecoderShape, DecoderSpec } from '../model/decoder.js'
import type { SamplingOptions } from '../model/generate.js'
import { LanguageModel } from '../model/language-model.js'
import type { LoraOptions } from '../model/lora.js'
import { runsInBlocks } from '../model/packed-attention.js'
import type { PackedShape } from '../model/packed-shape.js'
import type { ModelDtype } from '../model/parameters.js'
import { resolveTies } from '../model/tied-head.js'
import { openModelTensors } from '../safetensors/directory.js'
import type { TensorReader } from '../safetensors/reader.js'
import { BatchRunner, rowsOf } from './batch-runner.js'
import type { BeginningShapes } from './beginnings.js'
import { fillState, type ModelPrograms, traceModelPrograms } from './model-programs.js'
import type { BatchLayout } from './packed-batch.js'
import { type PackedLoss, type PackedTerms, termInputs } from './packed-loss.js'
import { PlaceTimes } from './place-times.js'
import { ANY_PLACE, type ModelPlaces } from './places.js'
import { givenVariables, type Purpose, type ShapeProgram } from './programs.js'
import { ReferencePass } from './reference-pass.js'
import { sampleInRounds } from './sampling.js'
import type { TokenPair } from './token-trees.js'
import { type WeightSource, weightSource } from './weight-source.js'

export interface ModelSessionOptions {
  readonly modelPath: string
  readonly dtype: ModelDtype
  readonly executor: Executor
  readonly lora: LoraOptions
  readonly shapes: readonly PackedShape[]
  /** Shapes for events that begin alike, under the reference; none if they are missing. */
  readonly beginnings?: BeginningShapes
  /** Bytes of beginnings that the reference keeps. @default 0 */
  readonly referenceCache?: number
  readonly optimizer: OptimizerOptions
  readonly beta: number
  readonly gradientCheckpointing: boolean
  /** What the session is for. */
  readonly purposes: readonly Purpose[]
  /** Room for sampling; null if nothing is sampled. */
  readonly decoder: DecoderShape | null
  /** Room for answers under an adapter that is given; null if none are asked for. */
  readonly givenDecoder: DecoderShape | null
  /** The adapter values that are the reference; null for the bare base. */
  readonly referenceLora: Float32Array | null
  /** What computes the batches of a step in turn; the first has the state. @default one, of TensorFlow's choice */
  readonly places?: ModelPlaces
  /** `host:port` of workers that have just been asked. @default none */
  readonly workers?: readonly string[]
  readonly onCompiled?: (program: string, ms: number) => void
  /** Told of each place that is left out, and why. */
  readonly onDropped?: (place: number, reason: BcodError) => void
}

/** What a checkpoint keeps of the adapter's training: AdamW's moments, as one vector each. */
export interface Moments {
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
}

/**
 * A model in memory: the session with its programs, its weights loaded, and access to them by packed batch. It holds no
 * learning state of its own beyond the session's variables.
 */
export class ModelSession {
  readonly model: LanguageModel
  readonly session: Session
  /** What the operator should know of the model's files; null for nothing. */
  readonly note: string | null
  readonly reference: ReferencePass
  readonly placeTimes: PlaceTimes
  readonly #runner: BatchRunner
  readonly #programs: ModelPrograms
  readonly #weights: WeightSource

  constructor(readonly options: ModelSessionOptions) {
    const shapes = options.beginnings ?? { alone: [], behind: [] }
    const reader = openModelTensors(options.modelPath)
    try {
      const { architecture, note } = resolveTies(readArchitecture(options.modelPath), reader)
      this.note = note
      this.model = new LanguageModel(architecture, options.dtype, options.lora, this.stages)
      const decoders = [this.#decoder, this.#givenDecoder].filter((each) => each !== null)
      this.#programs = traceModelPrograms(this.model, { ...options, decoders })
      this.#weights = weightSource(options.modelPath, this.model, reader, this.#places.weightServers)
      this.session = this.#open(reader)
      this.placeTimes = new PlaceTimes(this.session, this.#places.names)
      this.#runner = new BatchRunner(this.session, this.#programs.shapes)
      const { hiddenSize } = architecture
      this.reference = new ReferencePass(this.#runner, { shapes, cache: options.referenceCache ?? 0, hiddenSize })
    } finally {
      reader.close()
    }
  }

  /**
   * Opens the session again over this process and workers, with all that is learnt as it was, bit by bit.
   *
   * @param workers  `host:port` of those that have just been asked
   * @throws WORKER_UNREACHABLE if it does not open; then everything is as before
   */
  reopen(workers: readonly string[]): void {
    const { adapterValues, moments } = this
    const [step] = this.#read(this.model.lora.step)
    this.session.reopen(this.#placesOver(workers))
    const reader = openModelTensors(this.options.modelPath)
    try {
      this.#fill(this.session, reader, workers)
    } finally {
      reader.close()
    }
    this.restore(adapterValues, moments, step as number)
  }

  /**
   * What it costs that a query looks at one key, in tokens: attention runs at about half of the rate of the products with
   * the weights (docs/performance.md).
   */
  get pairCost(): number {
    const { hiddenSize: D, heads: H, kvHeads: G, headDim: E, intermediateSize: F } = this.model.architecture
    const weights = D * (H + 2 * G) * E + H * E * D + 3 * D * F
    return (2 * (2 * H * E)) / weights
  }

  /**
   * What a packed batch costs beside its tokens, in tokens. A GPU waits while the host gives out the work of a batch, which
   * is as much for many tokens as for few: on one, two batches pay only if all events do not fit into one.
   */
  get batchCost(): number {
    return usesGpu() ? 4096 : 32
  }

  /** `PlanCosts.inBlocks` */
  get inBlocks(): boolean {
    return runsInBlocks({ rows: 1 })
  }

  /** log πθ(y|x) of each row of a packed batch, without a gradient. */
  score(events: readonly TokenPair[], layout: BatchLayout, place = 0): Later<readonly number[]> {
    return this.#rows('score', 'logps', events, layout, place)
  }

  /** log π(y|x) of each row of a packed batch under the given adapter. */
  scoreGiven(events: readonly TokenPair[], layout: BatchLayout, place = 0): Later<readonly number[]> {
    return this.#rows('given', 'logps', events, layout, place)
  }

  /** KL of the given adapter from the other one over the completion of each row of a packed batch. */
  divergence(events: readonly TokenPair[], layout: BatchLayout, place = 0): Later<readonly number[]> {
    return this.#rows('divergence', 'divergences', events, layout, place)
  }

  /** Sets the adapter of `scoreGiven` and `generateGiven`, and of `divergence` with the one that it is compared with. */
  setGiven(values: Float32Array, other: Float32Array | null = null): void {
    const variables = givenVariables(this.model)
    this.session.write({ ...this.#byPart(variables.given, values), ...this.#byPart(variables.other, other) })
  }

  /**
   * log πθ(y|x) and reward of each row of a packed batch, and its part of the loss; the gradient is added to the sum of
   * the place.
   */
  accumulate(events: readonly TokenPair[], layout: BatchLayout, terms: PackedTerms, place = 0): Later<PackedLoss> {
    const inputs = termInputs(terms, layout.shape.sequences)
    const wait = this.#runner.start('accumulate', events, layout, place, { inputs })
    return () => {
      const { logps, rewards, loss } = wait().outputs
      return { logps: rowsOf(events, logps), rewards: rowsOf(events, rewards), loss: loss![0] as number }
    }
  }

  /** Adds the sum of gradients of another place to that of the first, which `apply` takes; all of it or nothing. */
  addGradient(place: number): void {
    this.session.add(place, ...this.model.lora.partGradients.map(({ name }) => name))
  }

  /** The sum of gradients of a place. */
  gradientAt(place: number): Float32Array {
    const { partition, partGradients } = this.model.lora
    const parts = this.session.readAt(place, ...partGradients.map(({ name }) => name))
    return partition.joinedValues(parts as readonly Float32Array[])
  }

  /** Whether the accumulated gradient is finite. */
  get gradientIsFinite(): boolean {
    return this.gradientAt(0).every(Number.isFinite)
  }

  /** Applies the accumulated gradient. If it is not finite, `applied` is false and nothing has changed. */
  apply(): { applied: boolean; gradNorm: number; lr: number } {
    const out = this.session.run('apply')
    this.session.spread(...this.model.lora.partValues.map(({ name }) => name))
    return { applied: out.applied![0] === 1, gradNorm: out.grad_norm![0] as number, lr: out.lr![0] as number }
  }

  /** The adapter's matrices as one vector. */
  get adapterValues(): Float32Array {
    return this.#read(this.model.lora.values)
  }

  set adapterValues(values: Float32Array) {
    this.session.write(this.#adapterWrites(values))
  }

  get moments(): Moments {
    const { firstMoment, secondMoment } = this.model.lora
    const [first, second] = this.session.read(firstMoment.name, secondMoment.name)
    return { firstMoment: first as Float32Array, secondMoment: second as Float32Array }
  }

  /** Sets the adapter and the optimizer's state, as after `step` steps. */
  restore(adapterValues: Float32Array, { firstMoment, secondMoment }: Moments, step: number): void {
    const { lora } = this.model
    this.session.write({
      ...this.#adapterWrites(adapterValues),
      [lora.firstMoment.name]: firstMoment,
      [lora.secondMoment.name]: secondMoment,
      [lora.step.name]: Float32Array.of(step),
    })
  }

  /** Samples answers with the adapter that learns; null if a token has no probability. */
  generate(prompts: readonly (readonly number[])[], options: SamplingOptions): readonly (readonly number[])[] | null {
    return this.#generate(this.#decoder, prompts, options)
  }

  /** The same under the given adapter. */
  generateGiven(
    prompts: readonly (readonly number[])[],
    options: SamplingOptions,
  ): readonly (readonly number[])[] | null {
    return this.#generate(this.#givenDecoder, prompts, options)
  }

  dispose(): void {
    this.session.dispose()
  }

  /** Over how many devices the layers are spread. */
  get stages(): number {
    return this.#places.stages
  }

  get #places(): ModelPlaces {
    return this.options.places ?? ANY_PLACE
  }

  #placesOver(workers: readonly string[]): Places {
    return { ...this.#places.over(workers), atFirstOnly: this.#programs.atFirstOnly }
  }

  /** Opens the session and loads the weights. */
  #open(reader: TensorReader): Session {
    const { library, programs, state, caches } = this.#programs
    const { executor, onCompiled, onDropped, workers = [] } = this.options
    const variables = [...this.#weights.variables, ...state, ...caches]
    const places = this.#placesOver(workers)
    const session = new Session(library, variables, programs, executor, { onCompiled, onDropped, places })
    try {
      this.#fill(session, reader, workers)
    } catch (error) {
      session.dispose()
      throw error
    }
    return session
  }

  /** Gives the variables of a session that has just been opened their values. */
  #fill(session: Session, reader: TensorReader, workers: readonly string[]): void {
    this.#weights.load(session, reader, workers)
    const { state, reference } = this.#programs
    fillState(session, state, this.#byPart(reference ?? [], this.options.referenceLora))
  }

  get #decoder(): DecoderSpec | null {
    const { decoder } = this.options
    return decoder && { ...decoder, name: 'decode', adapter: this.model.lora.partValues }
  }

  get #givenDecoder(): DecoderSpec | null {
    const { givenDecoder } = this.options
    return givenDecoder && { ...givenDecoder, name: 'decode_given', adapter: givenVariables(this.model).given }
  }

  #rows(kind: ShapeProgram, output: string, events: readonly TokenPair[], layout: BatchLayout, place: number) {
    const wait = this.#runner.start(kind, events, layout, place)
    return () => rowsOf(events, wait().outputs[output])
  }

  #generate(decoder: DecoderSpec | null, prompts: readonly (readonly number[])[], options: SamplingOptions) {
    if (decoder === null) throw new BcodError('INTERNAL', 'this learner was made without a decoder')
    return sampleInRounds(this, decoder, prompts, options)
  }

  /** The state's vector and the parts that programs compute with. */
  #adapterWrites(values: Float32Array): Record<string, Float32Array> {
    const { lora } = this.model
    return { [lora.values.name]: values, ...this.#byPart(lora.partValues, values) }
  }

  /** What an adapter sets its variables to; nothing if there is none. */
  #byPart(variables: readonly Variable[], values: Float32Array | null): Record<string, Float32Array> {
    if (values === null) return {}
    const parts = this.model.lora.partition.partedValues(values)
    return Object.fromEntries(variables.map(({ name }, part) => [name, parts[part] as Float32Array]))
  }

  #read({ name }: Variable): Float32Array {
    return this.session.read(name)[0] as Float32Array
  }
}
