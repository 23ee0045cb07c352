import {
  type Executor,
  FunctionLibrary,
  type OptimizerOptions,
  type Program,
  type Session,
  type Variable,
} from '../engine/index.js'
import { type DecoderSpec, traceDecoder } from '../model/decoder.js'
import type { LanguageModel } from '../model/language-model.js'
import type { PackedShape } from '../model/packed-shape.js'
import { measuringShapes } from './measuring-shapes.js'
import { givenVariables, type LearnerProgram, type Purpose, traceApply } from './programs.js'
import { type ShapeProgramOptions, ShapePrograms } from './shape-programs.js'

/** What a model session runs. */
export interface ModelPrograms {
  readonly library: FunctionLibrary
  /** Those that it begins with: of one shape, and those that have no shape. */
  readonly programs: readonly Program[]
  /** Of all shapes, as they are needed. */
  readonly shapes: ShapePrograms
  /** The variables of the adapter that is the reference, by its parts; null for the bare base. */
  readonly reference: readonly Variable[] | null
  /** Variables beside the weights that begin as `fillState` says. */
  readonly state: readonly Variable[]
  /** Those of decoders, which begin without a value. */
  readonly caches: readonly Variable[]
  /** Programs that run at the first place alone. */
  readonly atFirstOnly: readonly string[]
}

export interface ModelProgramOptions extends Omit<ShapeProgramOptions, 'model' | 'referenceLora'> {
  readonly purposes: readonly Purpose[]
  /** Smallest first. */
  readonly shapes: readonly PackedShape[]
  readonly optimizer: OptimizerOptions
  readonly executor: Executor
  readonly decoders: readonly DecoderSpec[]
  /** The adapter values that are the reference; null for the bare base. */
  readonly referenceLora: Float32Array | null
}

/** Traces what a session of a model begins with. */
export function traceModelPrograms(model: LanguageModel, options: ModelProgramOptions): ModelPrograms {
  const { executor, purposes } = options
  const library = new FunctionLibrary({ listsLeaveCalls: model.stages.length === 1 || executor === 'graph' })
  const referenceLora = options.referenceLora === null ? null : model.lora.partition.variables('reference.values')
  const shapes = new ShapePrograms(library, { ...options, model, referenceLora })
  // from one shape the session learns which variables the programs of all shapes use
  const [smallest] = options.shapes as readonly [PackedShape]
  const [smallestGiven] = measuringShapes(options.shapes) as readonly [PackedShape]
  const first = kindsFor(purposes).map((kind) =>
    shapes.trace(kind, kind === 'given' || kind === 'divergence' ? smallestGiven : smallest),
  )
  const training = purposes.includes('train') ? [traceApply(library, model, options.optimizer)] : []
  const decoders = options.decoders.map((spec) => traceDecoder(library, model, spec))
  const { given, other } = givenVariables(model)
  return {
    library,
    programs: [...first, ...training, ...decoders.flatMap(({ programs }) => programs)],
    shapes,
    reference: referenceLora,
    state: [
      ...model.lora.variables,
      ...(referenceLora ?? []),
      ...(purposes.includes('given') ? given : []),
      ...(purposes.includes('divergence') ? other : []),
    ],
    caches: decoders.flatMap(({ cache }) => cache),
    atFirstOnly: ['apply'],
  }
}

/** The programs over packed batches that a session for these purposes runs. */
const kindsFor = (purposes: readonly Purpose[]): readonly LearnerProgram[] => [
  'prepare',
  ...purposes.map((purpose) => (purpose === 'train' ? 'accumulate' : purpose)),
]

/** Gives the variables beside the weights, of a session that has just been opened, their values: the reference, and 0. */
export function fillState(
  session: Session,
  state: readonly Variable[],
  reference: Readonly<Record<string, Float32Array>>,
): void {
  const zeros = state.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b, 1))] as const)
  session.write({ ...Object.fromEntries(zeros), ...reference })
}
