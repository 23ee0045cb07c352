/**
 * The engine: tfjs code in, TensorFlow programs out.
 *
 * Trace (`traceProgram`, `defineFunction`, `defineDifferentiable`), compile (`new Session`), run (`session.run`), and
 * read and write resident variables. Nothing in it knows of language models; anything can be trainable.
 */

export { chosen, defineOption, type Option } from './choice.js'
export { defineCompiled, defineCompiledWithGradient } from './compiled.js'
export { defineLinearHead, type LinearHead } from './cross-entropy.js'
export { defineDifferentiable } from './differentiable.js'
export { type DivergenceHead, defineDivergenceHead } from './divergence.js'
export { chooseExecutor, type Kernels, preparedSettings } from './environment.js'
export type { InputValue } from './feeds.js'
export {
  type ArgumentSpec,
  type Arguments,
  defineFunction,
  FunctionLibrary,
  type Tensors,
} from './functions.js'
export { prepareGpu } from './gpu-numerics.js'
export { defineKeepingStack } from './keeping-stack.js'
export { defineFrozenStack, defineLayerStack, type LayerStackSpec, type TrainableStackSpec } from './layer-stack.js'
export {
  bitcastFloat,
  broadcastTo,
  indices,
  sparseCrossEntropy,
  statelessUniform,
  updatedProduct,
  withGradient,
} from './ops.js'
export {
  accumulateGradient,
  applyAdamW,
  type OptimizerOptions,
  type ParameterSlot,
  ParameterVector,
  scheduledRate,
} from './optimizer.js'
export type { Places } from './places.js'
export { type Inputs, type Program, type ProgramScope, traceProgram, type Variable } from './program.js'
export type { Executor } from './saved-model.js'
export { segmentSum } from './segment-sum.js'
export { type Fetched, type Later, liveTensors, Session } from './session.js'
export { binding, machineDevices, tf, usesGpu } from './tensorflow.js'
export type { MatmulType } from './tracing-backend.js'
