import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  accumulateGradient,
  applyAdamW,
  type FunctionLibrary,
  type Inputs,
  type OptimizerOptions,
  type Program,
  type ProgramScope,
  tf,
  traceProgram,
  type Variable,
} from '../engine/index.js'
import { bcoLoss } from '../loss/bco.js'
import { type BlockShape, shapeName } from '../model/block-shape.js'
import { BlockForward, type BlockLayout, type CompletionTokens, type LanguageModel } from '../model/language-model.js'

/** Names of the programs of one block shape. */
export const programName = (kind: 'prepare' | 'score' | 'accumulate', shape: BlockShape): string =>
  `${kind}_${shapeName(shape)}`

/** `train`: steps; `score`: policy log-probabilities without a gradient. */
export type Purpose = 'train' | 'score'

export interface LearnerProgramOptions {
  readonly model: LanguageModel
  readonly purposes: readonly Purpose[]
  readonly shapes: readonly BlockShape[]
  readonly optimizer: OptimizerOptions
  readonly beta: number
  /** The pinned adapter that is the reference; null for the bare base. */
  readonly referenceLora: Variable | null
  /** Keep only the input of each layer for the backward pass. */
  readonly gradientCheckpointing: boolean
}

/** The programs of the learner: for every block shape `prepare`, and `score` and `accumulate` as needed; once, `apply`. */
export function traceLearnerPrograms(
  library: FunctionLibrary,
  options: LearnerProgramOptions,
): { programs: readonly Program[]; tokenSlots: ReadonlyMap<string, number> } {
  const { model, shapes, optimizer, purposes } = options
  const programs: Program[] = []
  if (purposes.includes('train'))
    programs.push(traceProgram(library, 'apply', {}, (scope) => applyAdamW(scope, model.lora, optimizer)))
  const tokenSlots = new Map<string, number>()
  for (const shape of shapes) {
    const forward = new BlockForward(library, model, shape, options.gradientCheckpointing)
    tokenSlots.set(shapeName(shape), forward.tokenSlots)
    programs.push(prepare(library, forward, options))
    if (purposes.includes('score')) programs.push(score(library, forward))
    if (purposes.includes('train')) programs.push(accumulate(library, forward, options))
  }
  return { programs, tokenSlots }
}

function blockInputs({ shape: { tokens, rows, length }, tokenSlots }: BlockForward): Inputs {
  const int = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'int32' as const })
  const cells = int(rows * length)
  return {
    ...{ ids: int(tokens), offsets: int(tokens), cells: int(tokens), positions: cells, owners: cells },
    ...{ sources: int(tokenSlots), targets: int(tokenSlots), segments: int(tokenSlots), count: int() },
  }
}

const layoutOf = ({ inputs }: ProgramScope): BlockLayout => {
  const { ids, offsets, positions, cells, owners } = inputs as Readonly<Record<keyof BlockLayout, Tensor>>
  return { ids, offsets, positions, cells, owners }
}

const completionTokens = ({ inputs }: ProgramScope): CompletionTokens => ({
  sources: inputs.sources as Tensor,
  targets: inputs.targets as Tensor,
  segments: inputs.segments as Tensor,
  count: inputs.count as Tensor,
})

/** Reference log-probabilities and prompt embeddings. */
function prepare(library: FunctionLibrary, forward: BlockForward, { referenceLora }: LearnerProgramOptions): Program {
  const inputs: Inputs = { ...blockInputs(forward), prompts: { shape: [forward.shape.tokens], dtype: 'int32' } }
  const body = (scope: ProgramScope) => {
    const hidden = forward.hidden(
      scope,
      layoutOf(scope),
      referenceLora === null ? null : scope.read(referenceLora),
      false,
    )
    const logps = forward.logps(scope, hidden, completionTokens(scope), false)
    return { logps, embeddings: forward.promptEmbeddings(scope, hidden, scope.inputs.prompts as Tensor) }
  }
  return traceProgram(library, programName('prepare', forward.shape), inputs, body, forward.model.dtype)
}

/** Policy log-probabilities without a gradient. */
function score(library: FunctionLibrary, forward: BlockForward): Program {
  const { model } = forward
  const body = (scope: ProgramScope) => {
    const hidden = forward.hidden(scope, layoutOf(scope), scope.read(model.lora.values), false)
    return { logps: forward.logps(scope, hidden, completionTokens(scope), false) }
  }
  return traceProgram(library, programName('score', forward.shape), blockInputs(forward), body, forward.model.dtype)
}

/** Policy log-probabilities, rewards, the loss, and the gradient added to the accumulated one. */
function accumulate(library: FunctionLibrary, forward: BlockForward, { model, beta }: LearnerProgramOptions): Program {
  const floats = { shape: [forward.shape.events], dtype: 'float32' } as const
  const inputs: Inputs = {
    ...blockInputs(forward),
    reference_logps: floats,
    signs: floats,
    coefficients: floats,
    delta: { shape: [], dtype: 'float32' },
    first: { shape: [], dtype: 'int32' },
  }
  const body = (scope: ProgramScope) => {
    const given = scope.inputs as Readonly<Record<string, Tensor>>
    const report: Record<string, Tensor> = {}
    const lossOf = (vector: Tensor): Tensor => {
      const hidden = forward.hidden(scope, layoutOf(scope), vector, true)
      const logps = forward.logps(scope, hidden, completionTokens(scope), true)
      const { rewards, loss } = bcoLoss({
        policyLogps: logps,
        referenceLogps: given.reference_logps as Tensor,
        signs: given.signs as Tensor,
        coefficients: given.coefficients as Tensor,
        delta: given.delta as Tensor,
        beta,
      })
      Object.assign(report, { logps: tf.keep(logps), rewards: tf.keep(rewards) })
      return loss as Tensor
    }
    const { value, grad: gradient } = tf.valueAndGrad(lossOf)(scope.read(model.lora.values))
    accumulateGradient(scope, model.lora, gradient, given.first as Tensor)
    return { ...report, loss: value }
  }
  return traceProgram(library, programName('accumulate', forward.shape), inputs, body, forward.model.dtype)
}
