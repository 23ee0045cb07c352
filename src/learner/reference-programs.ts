import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type FunctionLibrary,
  type Inputs,
  type Program,
  type ProgramScope,
  tf,
  traceProgram,
  type Variable,
} from '../engine/index.js'
import { ContinuedForward } from '../model/continued-forward.js'
import type { PackedForward } from '../model/packed-forward.js'
import { completionTokens, layoutOf, programName, promptInputs, type ReferenceProgram, readParts } from './programs.js'

/**
 * A program of the reference over sequences of which a beginning is known: `begin` computes a beginning's keys, values
 * and sums of hidden states; `continue` what `prepare` does, of the tokens behind it.
 *
 * @param referenceLora  the pinned adapter that is the reference, by its parts; null for the bare base
 */
export function traceReferenceProgram(
  library: FunctionLibrary,
  kind: ReferenceProgram,
  packed: PackedForward,
  referenceLora: readonly Variable[] | null,
): Program {
  const forward = new ContinuedForward(library, packed.model, packed.shape, packed.operations)
  return (kind === 'begin' ? begin : continue_)(library, packed, forward, referenceLora)
}

/** A beginning by itself: keys and values by layer, f32[L, G, P, E], and sums of the last hidden state, f32[2, D]. */
function begin(
  library: FunctionLibrary,
  packed: PackedForward,
  forward: ContinuedForward,
  referenceLora: readonly Variable[] | null,
): Program {
  const { model, shape } = packed
  const { layers: L, kvHeads: G, headDim: E } = model.architecture
  const inputs = promptInputs(packed)
  const body = (scope: ProgramScope) => {
    const adapter = readParts(scope, referenceLora)
    const { y, keys, values } = forward.hidden(scope, layoutOf(scope), adapter, null)
    const ofLayers = (kept: Tensor) => tf.reshape(kept, [L, G, shape.length, E])
    const sums = packed.promptSums(scope, y, scope.inputs.promptPartIds as Tensor)
    return { keys: ofLayers(keys), values: ofLayers(values), sums }
  }
  return traceProgram(library, programName('begin', shape), inputs, body, model.dtype)
}

/** Log-probabilities, and sums of the last hidden state over the parts of the prompts behind the beginning. */
function continue_(
  library: FunctionLibrary,
  packed: PackedForward,
  forward: ContinuedForward,
  referenceLora: readonly Variable[] | null,
): Program {
  const { model, shape } = packed
  const { layers, kvHeads, headDim } = model.architecture
  const cached = { shape: [layers, kvHeads, shape.beginning as number, headDim], dtype: 'float32' } as const
  const inputs: Inputs = {
    ...promptInputs(packed),
    ...{ keys: cached, values: cached, count: { shape: [], dtype: 'int32' } },
  }
  const body = (scope: ProgramScope) => {
    const adapter = readParts(scope, referenceLora)
    const { keys, values, count } = scope.inputs as Record<'keys' | 'values' | 'count', Tensor>
    const { y } = forward.hidden(scope, layoutOf(scope), adapter, { keys, values, count })
    const logps = packed.logps(scope, y, completionTokens(scope), false)
    return { logps, sums: packed.promptSums(scope, y, scope.inputs.promptPartIds as Tensor) }
  }
  return traceProgram(library, programName('continue', shape), inputs, body, model.dtype)
}
