import {
  addN,
  binary,
  bitcastFloat,
  cast,
  finite,
  identity,
  logicalAnd,
  logicalNot,
  select,
  unary,
} from './kernels/elementwise.js'
import type { Kernel, KernelAttributes, KernelInputs } from './kernels/kernel.js'
import {
  broadcastTo,
  concat,
  expandDims,
  gather,
  pad,
  reshape,
  reverse,
  slice,
  split,
  tile,
  transpose,
} from './kernels/movement.js'
import { batchMatMul, beside, softmax, sparseCrossEntropy } from './kernels/products.js'
import { all, argMax, reduce, unsortedSegmentSum } from './kernels/reductions.js'
import { oneHot, range, statelessUniform } from './kernels/values.js'
import { tf } from './tensorflow.js'
import { TRACING_BACKEND } from './tracing-backend.js'

/** One of TensorFlow's operations, as far as programs use it. */
export interface Op {
  /** In TensorFlow's registry. */
  readonly name: string
  /** Kernels of the tracing backend that append it, by the names that tfjs calls them by. */
  readonly kernels?: Readonly<Record<string, Kernel>>
  /** Names of its output arguments, which a FunctionDef refers to; one with several values is a list. */
  readonly outputs: readonly string[]
}

/** Operations with an output `y` of the type and shape of their input `x`; tfjs has the same names for them. */
const UNARY = [
  ...['Exp', 'Expm1', 'Log', 'Neg', 'Rsqrt', 'Sqrt', 'Square', 'Sigmoid', 'Tanh', 'Cos', 'Sin', 'Abs', 'ZerosLike'],
  'Floor',
]
const COMPARISONS = ['Equal', 'NotEqual', 'Greater', 'GreaterEqual', 'Less', 'LessEqual']

/** Every operation that programs use: to add one, add it here. */
export const OPS: readonly Op[] = [
  ...UNARY.map((name) => ({ name, kernels: { [name]: unary(name) }, outputs: ['y'] })),
  { name: 'Softplus', kernels: { Softplus: unary('Softplus') }, outputs: ['activations'] },
  ...COMPARISONS.map((name) => ({ name, kernels: { [name]: binary(name, 'bool') }, outputs: ['z'] })),
  { name: 'AddV2', kernels: { Add: binary('AddV2') }, outputs: ['z'] },
  { name: 'Sub', kernels: { Sub: binary('Sub') }, outputs: ['z'] },
  { name: 'Mul', kernels: { Multiply: binary('Mul') }, outputs: ['z'] },
  { name: 'RealDiv', kernels: { RealDiv: binary('RealDiv') }, outputs: ['z'] },
  { name: 'Pow', kernels: { Pow: binary('Pow') }, outputs: ['z'] },
  { name: 'Maximum', kernels: { Maximum: binary('Maximum') }, outputs: ['z'] },
  { name: 'Minimum', kernels: { Minimum: binary('Minimum') }, outputs: ['z'] },
  { name: 'AddN', kernels: { AddN: addN }, outputs: ['sum'] },
  { name: 'IsFinite', kernels: { IsFinite: finite }, outputs: ['y'] },
  { name: 'LogicalNot', kernels: { LogicalNot: logicalNot }, outputs: ['y'] },
  { name: 'LogicalAnd', kernels: { LogicalAnd: logicalAnd }, outputs: ['z'] },
  { name: 'SelectV2', kernels: { Select: select }, outputs: ['output'] },
  { name: 'Cast', kernels: { Cast: cast }, outputs: ['y'] },
  { name: 'Bitcast', kernels: { BitcastFloat: bitcastFloat }, outputs: ['output'] },
  { name: 'Identity', kernels: { Identity: identity }, outputs: ['output'] },

  ...['Sum', 'Mean', 'Max', 'Min'].map((name) => ({ name, kernels: { [name]: reduce(name) }, outputs: ['output'] })),
  { name: 'All', kernels: { All: all }, outputs: ['output'] },
  { name: 'ArgMax', kernels: { ArgMax: argMax }, outputs: ['output'] },
  { name: 'UnsortedSegmentSum', kernels: { UnsortedSegmentSum: unsortedSegmentSum }, outputs: ['output'] },

  { name: 'BatchMatMulV2', kernels: { BatchMatMul: batchMatMul }, outputs: ['output'] },
  { name: 'Softmax', kernels: { Softmax: softmax }, outputs: ['softmax'] },
  {
    name: 'SparseSoftmaxCrossEntropyWithLogits',
    kernels: { SparseCrossEntropy: sparseCrossEntropy },
    outputs: ['loss', 'backprop'],
  },

  { name: 'Reshape', kernels: { Reshape: reshape, ExpandDims: expandDims }, outputs: ['output'] },
  { name: 'Transpose', kernels: { Transpose: transpose }, outputs: ['y'] },
  { name: 'GatherV2', kernels: { GatherV2: gather }, outputs: ['output'] },
  { name: 'Slice', kernels: { Slice: slice }, outputs: ['output'] },
  { name: 'ReverseV2', kernels: { Reverse: reverse }, outputs: ['output'] },
  { name: 'PadV2', kernels: { PadV2: pad }, outputs: ['output'] },
  { name: 'ConcatV2', kernels: { Concat: concat, Beside: beside }, outputs: ['output'] },
  { name: 'SplitV', kernels: { SplitV: split }, outputs: ['output'] },
  { name: 'Tile', kernels: { Tile: tile }, outputs: ['output'] },
  { name: 'BroadcastTo', kernels: { BroadcastTo: broadcastTo }, outputs: ['output'] },

  { name: 'OneHot', kernels: { OneHot: oneHot }, outputs: ['output'] },
  { name: 'Range', kernels: { Range: range }, outputs: ['output'] },
  { name: 'StatelessRandomUniform', kernels: { StatelessUniform: statelessUniform }, outputs: ['output'] },
  { name: 'Const', outputs: ['output'] },
  { name: 'Fill', outputs: ['output'] },

  // what the engine appends itself: variables, calls, branches and loops
  { name: 'ReadVariableOp', outputs: ['value'] },
  { name: 'AssignVariableOp', outputs: [] },
  { name: 'PartitionedCall', outputs: ['output'] },
  { name: 'StatelessIf', outputs: ['output'] },
  { name: 'StatelessCase', outputs: ['output'] },
  { name: 'StatelessWhile', outputs: ['output'] },
  { name: 'TensorListReserve', outputs: ['handle'] },
  { name: 'TensorListSetItem', outputs: ['output_handle'] },
  { name: 'TensorListGetItem', outputs: ['item'] },
  { name: 'TensorListStack', outputs: ['tensor'] },
  { name: 'TensorListFromTensor', outputs: ['output_handle'] },
]

const OUTPUTS: ReadonlyMap<string, readonly string[]> = new Map(OPS.map(({ name, outputs }) => [name, outputs]))

/**
 * One output of a node as a FunctionDef refers to it: `Sub_3:z:0`.
 *
 * @throws if the operation is not in the table
 */
export function outputRef(node: string, op: string, index: number): string {
  const outputs = OUTPUTS.get(op)
  const name = outputs?.length === 1 ? outputs[0] : outputs?.[index]
  if (name === undefined) throw new Error(`operation ${op} has no output ${index} in the table of operations`)
  return `${node}:${name}:${outputs?.length === 1 ? index : 0}`
}

/** Makes the kernels known to tfjs. */
export function registerKernels(): void {
  for (const { kernels = {} } of OPS)
    for (const [kernelName, kernel] of Object.entries(kernels))
      tf.registerKernel({
        kernelName,
        backendName: TRACING_BACKEND,
        kernelFunc: ({ inputs, attrs }) => kernel(inputs as KernelInputs, (attrs ?? {}) as KernelAttributes),
      })
}
