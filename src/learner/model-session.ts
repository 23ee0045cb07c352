import {
  type Executor,
  FunctionLibrary,
  type InputValue,
  type OptimizerOptions,
  Session,
  type Variable,
} from '../engine/index.js'
import { BcodError } from '../errors.js'
import { readArchitecture } from '../model/architecture.js'
import { type BlockShape, shapeName } from '../model/block-shape.js'
import { type DecoderShape, traceDecoder } from '../model/decoder.js'
import { LanguageModel } from '../model/language-model.js'
import type { LoraOptions } from '../model/lora.js'
import type { ModelDtype } from '../model/parameters.js'
import { resolveTies } from '../model/tied-head.js'
import { loadWeights } from '../model/weights.js'
import { openModelTensors } from '../safetensors/directory.js'
import type { TensorReader } from '../safetensors/reader.js'
import { type Block, layOut, type TokenPair } from './block.js'
import { type Purpose, programName, traceLearnerPrograms } from './programs.js'

export interface ModelSessionOptions {
  readonly modelPath: string
  readonly dtype: ModelDtype
  readonly executor: Executor
  readonly lora: LoraOptions
  readonly shapes: readonly BlockShape[]
  readonly optimizer: OptimizerOptions
  readonly beta: number
  readonly gradientCheckpointing: boolean
  /** What the session is for: steps, policy log-probabilities without a gradient, or both. */
  readonly purposes: readonly Purpose[]
  /** Room for sampling; null where nothing is sampled. */
  readonly decoder: DecoderShape | null
  /** The adapter values that are the reference; null for the bare base. */
  readonly referenceLora: Float32Array | null
  readonly onCompiled?: (program: string, ms: number) => void
}

/** What one block yields of each of its events. */
export interface BlockLogps {
  /** log π(y|x), by event. */
  readonly logps: readonly number[]
  /** By event, by completion token. */
  readonly tokenLogps: readonly Float32Array[]
}

/** The device had no memory for the programs of a block shape; nothing has changed. */
export class BlockOutOfMemory extends BcodError {
  constructor(
    readonly shape: BlockShape,
    cause: BcodError,
  ) {
    super(cause.code, cause.message, { place: shapeName(shape), cause })
  }
}

/**
 * A model in memory: the session with all programs, its weights loaded, and block-wise access to them. It holds no
 * learning state of its own beyond the session's variables.
 */
export class ModelSession {
  readonly model: LanguageModel
  readonly session: Session
  /** What the operator should know of the model's files; null for nothing. */
  readonly note: string | null
  readonly #tokenSlots: ReadonlyMap<string, number>

  constructor(readonly options: ModelSessionOptions) {
    const reader = openModelTensors(options.modelPath)
    try {
      const { architecture, note } = resolveTies(readArchitecture(options.modelPath), reader)
      this.note = note
      this.model = new LanguageModel(architecture, options.dtype, options.lora)
      const { session, tokenSlots } = this.#open(reader)
      this.session = session
      this.#tokenSlots = tokenSlots
    } finally {
      reader.close()
    }
  }

  /** Traces all programs and loads the weights. */
  #open(reader: TensorReader): { readonly session: Session; readonly tokenSlots: ReadonlyMap<string, number> } {
    const { model, options } = this
    const library = new FunctionLibrary()
    const referenceLora: Variable | null =
      options.referenceLora === null ? null : { name: 'reference.values', shape: [model.lora.size], dtype: 'float32' }
    const learner = traceLearnerPrograms(library, { ...options, model, referenceLora })
    const decoder = options.decoder === null ? null : traceDecoder(library, model, options.decoder)
    const state = [...model.lora.variables, ...(referenceLora ? [referenceLora] : []), ...(decoder?.variables ?? [])]
    const programs = [...learner.programs, ...(decoder ? [decoder.program] : [])]
    const session = new Session(
      library,
      [...model.variables.all, ...state],
      programs,
      options.executor,
      options.onCompiled,
    )
    try {
      loadWeights(model.architecture, reader, model.variables.all, session)
      const zeros = state.map(({ name, shape, dtype }) => {
        const size = shape.reduce((a, b) => a * b, 1)
        return [name, dtype === 'int32' ? new Int32Array(size) : new Float32Array(size)] as const
      })
      const reference = options.referenceLora ? { 'reference.values': options.referenceLora } : {}
      session.write({ ...Object.fromEntries(zeros), ...reference })
    } catch (error) {
      session.dispose()
      throw error
    }
    return { session, tokenSlots: learner.tokenSlots }
  }

  /** Reference log-probabilities and prompt embeddings [D] of a block. */
  prepare(
    events: readonly TokenPair[],
    shape: BlockShape,
  ): BlockLogps & { readonly embeddings: readonly Float64Array[] } {
    const { block, inputs } = this.#inputs(events, shape)
    const out = this.#run('prepare', shape, inputs)
    const width = this.model.architecture.hiddenSize
    const embeddings = events.map((_, row) =>
      Float64Array.from(out.embeddings!.subarray(row * width, (row + 1) * width)),
    )
    return { ...perEvent(events, block, out), embeddings }
  }

  /** Policy log-probabilities of a block, without a gradient. */
  score(events: readonly TokenPair[], shape: BlockShape): BlockLogps {
    const { block, inputs } = this.#inputs(events, shape)
    return perEvent(events, block, this.#run('score', shape, inputs))
  }

  /** Policy log-probabilities, rewards and losses of a block; its gradient is added to the accumulated one. */
  accumulate(
    events: readonly TokenPair[],
    shape: BlockShape,
    per: { referenceLogps: readonly number[]; labels: readonly boolean[]; coefficients: readonly number[] },
    delta: number,
    first: boolean,
  ): { logps: readonly number[]; rewards: readonly number[]; losses: readonly number[]; loss: number } {
    const { inputs } = this.#inputs(events, shape)
    const padded = (values: readonly number[]) =>
      Float32Array.from({ length: shape.events }, (_, row) => values[row] ?? 0)
    const out = this.#run('accumulate', shape, {
      ...inputs,
      reference_logps: padded(per.referenceLogps),
      signs: padded(per.labels.map((up) => (up ? 1 : -1))),
      coefficients: padded(per.coefficients),
      delta: Float32Array.of(delta),
      first: first ? 1 : 0,
    })
    const rows = (values: ArrayLike<number>) => Array.from(values).slice(0, events.length)
    return {
      logps: rows(out.logps!),
      rewards: rows(out.rewards!),
      losses: rows(out.losses!),
      loss: out.loss![0] as number,
    }
  }

  /** Applies the accumulated gradient. `applied` is false, and nothing has changed, where it was not finite. */
  apply(): { applied: boolean; gradNorm: number; lr: number } {
    const out = this.session.run('apply')
    return { applied: out.applied![0] === 1, gradNorm: out.grad_norm![0] as number, lr: out.lr![0] as number }
  }

  #run(kind: 'prepare' | 'score' | 'accumulate', shape: BlockShape, inputs: Readonly<Record<string, InputValue>>) {
    try {
      return this.session.run(programName(kind, shape), inputs)
    } catch (error) {
      const full = error instanceof BcodError && error.code === 'DEVICE_OUT_OF_MEMORY'
      throw full ? new BlockOutOfMemory(shape, error) : error
    }
  }

  #inputs(events: readonly TokenPair[], shape: BlockShape) {
    const slots = this.#tokenSlots.get(shapeName(shape))
    if (slots === undefined) throw new BcodError('INTERNAL', `shape ${shapeName(shape)} was not compiled`)
    const block = layOut(events, shape, slots)
    return { block, inputs: { ...block } }
  }
}

function perEvent(events: readonly TokenPair[], block: Block, out: Record<string, ArrayLike<number>>): BlockLogps {
  const tokens = Array.from(out.token_logps as ArrayLike<number>)
  const tokenLogps = events.map((_, row) =>
    Float32Array.from(tokens.filter((_, i) => i < block.count && block.segments[i] === row)),
  )
  return { logps: events.map((_, row) => (out.logps as ArrayLike<number>)[row] as number), tokenLogps }
}
