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
import type { LanguageModel } from '../model/language-model.js'
import { runsInBlocks } from '../model/packed-attention.js'
import type { CompletionTokens, PackedForward, PackedLayout } from '../model/packed-forward.js'
import { type PackedShape, shapeName } from '../model/packed-shape.js'
import { queryBlocks } from '../model/query-blocks.js'

/** Names of the programs of one shape. */
export const programName = (kind: ShapeProgram, shape: PackedShape): string => `${kind}_${shapeName(shape)}`

/** Programs over packed batches of sequences. */
export type LearnerProgram = 'prepare' | 'score' | 'accumulate' | 'given' | 'divergence'
/** Programs of a beginning, and of what continues it (reference-programs.ts). */
export type ReferenceProgram = 'begin' | 'continue'
export type ShapeProgram = LearnerProgram | ReferenceProgram

/**
 * `train`: steps; `score`: policy log-probabilities without a gradient; `given`: the same under an adapter that is given,
 * beside the policy; `divergence`: how far that one is from another.
 */
export type Purpose = 'train' | 'score' | 'given' | 'divergence'

/** Adapters that are given for measurements, by their parts. No step reads or writes them, so measuring moves nothing that is learnt. */
export function givenVariables({ lora }: LanguageModel): {
  readonly given: readonly Variable[]
  readonly other: readonly Variable[]
} {
  const { partition } = lora
  return { given: partition.variables('given.values'), other: partition.variables('given.other') }
}

/** The parts of an adapter as a program sees them; null for the bare base. */
export const readParts = (scope: ProgramScope, parts: readonly Variable[] | null): readonly Tensor[] | null =>
  parts?.map((part) => scope.read(part)) ?? null

export interface LearnerProgramOptions {
  readonly model: LanguageModel
  readonly beta: number
  /** The pinned adapter that is the reference, by its parts; null for the bare base. */
  readonly referenceLora: readonly Variable[] | null
}

/** Takes the accumulated gradient; one for all shapes. */
export const traceApply = (library: FunctionLibrary, { lora }: LanguageModel, optimizer: OptimizerOptions): Program =>
  traceProgram(library, 'apply', {}, (scope) => applyAdamW(scope, lora, optimizer))

/** A program over packed batches of one shape. */
export function traceLearnerProgram(
  library: FunctionLibrary,
  kind: LearnerProgram,
  forward: PackedForward,
  options: LearnerProgramOptions,
): Program {
  switch (kind) {
    case 'prepare':
      return prepare(library, forward, options)
    case 'score':
      return score(library, forward, kind, forward.model.lora.partValues)
    case 'given':
      return score(library, forward, kind, givenVariables(forward.model).given)
    case 'divergence':
      return divergence(library, forward)
    case 'accumulate':
      return accumulate(library, forward, options)
  }
}

/** What a program takes that sums over the parts of prompts. */
export const promptInputs = (forward: PackedForward): Inputs => ({
  ...packedInputs(forward),
  promptPartIds: { shape: [forward.shape.tokens], dtype: 'int32' },
})

/** What every program over packed batches takes. */
function packedInputs({ shape: { tokens, rows, length }, targetCapacity }: PackedForward): Inputs {
  const int = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'int32' as const })
  const blocks = queryBlocks(length).length
  const [perToken, perSlot, perTarget] = [int(tokens), int(rows * length), int(targetCapacity)]
  return {
    ...{ inputIds: perToken, positionIds: perToken, tokenSlots: perToken, slotTokens: perSlot, slotEnds: perSlot },
    ...{ logitIndices: perTarget, targetIds: perTarget, targetSegmentIds: perTarget, targetCount: int() },
    ...(runsInBlocks({ rows })
      ? { keySlots: int(blocks * length), keyCounts: int(blocks), keyCapacities: int(blocks) }
      : {}),
  }
}

export const layoutOf = ({ inputs }: ProgramScope): PackedLayout => {
  const given = inputs as Readonly<Record<keyof PackedLayout, Tensor>>
  const { inputIds, positionIds, slotTokens, tokenSlots, slotEnds, keySlots, keyCounts, keyCapacities } = given
  return { inputIds, positionIds, slotTokens, tokenSlots, slotEnds, keySlots, keyCounts, keyCapacities }
}

export const completionTokens = ({ inputs }: ProgramScope): CompletionTokens => ({
  logitIndices: inputs.logitIndices as Tensor,
  targetIds: inputs.targetIds as Tensor,
  targetSegmentIds: inputs.targetSegmentIds as Tensor,
  targetCount: inputs.targetCount as Tensor,
})

/** Reference log-probabilities, and sums of the last hidden state over the parts of the prompts. */
function prepare(library: FunctionLibrary, forward: PackedForward, { referenceLora }: LearnerProgramOptions): Program {
  const inputs = promptInputs(forward)
  const body = (scope: ProgramScope) => {
    const hidden = forward.hidden(scope, layoutOf(scope), readParts(scope, referenceLora), false)
    const logps = forward.logps(scope, hidden, completionTokens(scope), false)
    const sums = forward.promptSums(scope, hidden, scope.inputs.promptPartIds as Tensor)
    return { logps, sums }
  }
  return traceProgram(library, programName('prepare', forward.shape), inputs, body, forward.model.dtype)
}

/** Log-probabilities under an adapter without a gradient. */
function score(
  library: FunctionLibrary,
  forward: PackedForward,
  kind: 'score' | 'given',
  adapter: readonly Variable[],
): Program {
  const body = (scope: ProgramScope) => {
    const hidden = forward.hidden(scope, layoutOf(scope), readParts(scope, adapter), false)
    return { logps: forward.logps(scope, hidden, completionTokens(scope), false) }
  }
  return traceProgram(library, programName(kind, forward.shape), packedInputs(forward), body, forward.model.dtype)
}

/** KL of the given adapter from the other one, over whole distributions, summed over each completion. */
function divergence(library: FunctionLibrary, forward: PackedForward): Program {
  const { given, other } = givenVariables(forward.model)
  const body = (scope: ProgramScope) => {
    const hidden = (adapter: readonly Variable[]) =>
      forward.hidden(scope, layoutOf(scope), readParts(scope, adapter), false)
    return { divergences: forward.divergences(scope, hidden(given), hidden(other), completionTokens(scope)) }
  }
  const name = programName('divergence', forward.shape)
  return traceProgram(library, name, packedInputs(forward), body, forward.model.dtype)
}

/** Policy log-probabilities, rewards, the loss, and the gradient added to the accumulated one. */
function accumulate(library: FunctionLibrary, forward: PackedForward, { model, beta }: LearnerProgramOptions): Program {
  const floats = { shape: [forward.shape.sequences], dtype: 'float32' } as const
  const inputs: Inputs = {
    ...packedInputs(forward),
    reference_logps: floats,
    signs: floats,
    coefficients: floats,
    delta: { shape: [], dtype: 'float32' },
    first: { shape: [], dtype: 'int32' },
  }
  const body = (scope: ProgramScope) => {
    const given = scope.inputs as Readonly<Record<string, Tensor>>
    const report: Record<string, Tensor> = {}
    const lossOf = (...adapter: Tensor[]): Tensor => {
      const hidden = forward.hidden(scope, layoutOf(scope), adapter, true)
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
    const { value, grads } = tf.valueAndGrads(lossOf)(model.lora.partValues.map((part) => scope.read(part)))
    accumulateGradient(scope, model.lora, grads, given.first as Tensor)
    return { ...report, loss: value }
  }
  return traceProgram(library, programName('accumulate', forward.shape), inputs, body, forward.model.dtype)
}
