import { FunctionLibrary, type Program, type Session, type Variable } from '../engine/index.js'
import { type DecoderSpec, traceDecoder } from '../model/decoder.js'
import type { LanguageModel } from '../model/language-model.js'
import { loadWeights } from '../model/weights.js'
import type { TensorReader } from '../safetensors/reader.js'
import type { BeginningShapes } from './beginnings.js'
import { givenVariables, type LearnerProgramOptions, traceLearnerPrograms } from './programs.js'
import { traceReferencePrograms } from './reference-programs.js'

/** All that a model session runs. */
export interface ModelPrograms {
  readonly library: FunctionLibrary
  readonly programs: readonly Program[]
  /** Variables beside the weights. */
  readonly state: readonly Variable[]
  /** Programs that run at the first place alone. */
  readonly atFirstOnly: readonly string[]
  /** Completion tokens that a batch has room for, by the name of its shape. */
  readonly targetCapacity: ReadonlyMap<string, number>
}

export interface ModelProgramOptions extends Omit<LearnerProgramOptions, 'model' | 'referenceLora'> {
  readonly beginnings: BeginningShapes
  readonly decoders: readonly DecoderSpec[]
  /** The adapter values that are the reference; null for the bare base. */
  readonly referenceLora: Float32Array | null
}

/** Traces all programs of a model. */
export function traceModelPrograms(model: LanguageModel, options: ModelProgramOptions): ModelPrograms {
  const library = new FunctionLibrary()
  const { beginnings, purposes } = options
  const referenceLora: Variable | null =
    options.referenceLora === null ? null : { name: REFERENCE, shape: [model.lora.size], dtype: 'float32' }
  const learner = traceLearnerPrograms(library, { ...options, model, referenceLora })
  const shapes = [...beginnings.alone, ...beginnings.behind]
  const reference = traceReferencePrograms(library, { model, referenceLora, shapes })
  const decoders = options.decoders.map((spec) => traceDecoder(library, model, spec))
  const { given, other } = givenVariables(model)
  return {
    library,
    programs: [...learner.programs, ...reference.programs, ...decoders.map(({ program }) => program)],
    state: [
      ...model.lora.variables,
      ...(referenceLora ? [referenceLora] : []),
      ...(purposes.includes('given') ? [given] : []),
      ...(purposes.includes('divergence') ? [other] : []),
      ...decoders.flatMap(({ variables }) => variables),
    ],
    atFirstOnly: ['apply', ...decoders.map(({ program }) => program.name)],
    targetCapacity: new Map([...learner.targetCapacity, ...reference.targetCapacity]),
  }
}

/** The variable of the reference's adapter. */
const REFERENCE = 'reference.values'

/** Gives the variables of a session that has just been opened their values: the weights, the reference, and 0. */
export function fillVariables(
  session: Session,
  model: LanguageModel,
  state: readonly Variable[],
  { reader, referenceLora }: { readonly reader: TensorReader; readonly referenceLora: Float32Array | null },
): void {
  loadWeights(model.architecture, reader, model.variables.all, session)
  const zeros = state.map(({ name, shape }) => [name, new Float32Array(shape.reduce((a, b) => a * b, 1))] as const)
  session.write({ ...Object.fromEntries(zeros), ...(referenceLora ? { [REFERENCE]: referenceLora } : {}) })
}
