import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type ArgumentSpec,
  type Arguments,
  actualRefs,
  dataTypeOf,
  type FunctionLibrary,
  type Residual,
  signatureOf,
  type Tensors,
  traceDifferentiable,
  traceValue,
} from './functions.js'
import { attr, DataType } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend } from './tracing-backend.js'

/** What one layer of a stack takes, beside the f32 tensor `x` that goes through all of them. */
export interface LayerStackSpec {
  readonly layers: number
  readonly x: readonly number[]
  /** Frozen arguments of a layer. The stack takes them with a leading axis of layers. */
  readonly frozen: Arguments
  /** Arguments that all layers share. */
  readonly shared: Arguments
  /**
   * Rematerialisation: keep only each layer's input between forward and backward pass, and compute the layer again.
   * A third more arithmetic, for memory that does not grow with what a layer keeps.
   */
  readonly recompute?: boolean
}

/**
 * @param stacked  the frozen arguments, each along a first axis of layers
 * @param rows     the trainable floats of each layer, f32[layers, parameters]
 */
export type LayerStack = (stacked: Tensors, shared: Tensors, x: Tensor, rows: Tensor, differentiate: boolean) => Tensor

const { float32, int32, variant } = DataType

/**
 * Layers of the same shape, one after the other, as a loop over one traced layer: what a program costs to prepare does
 * not grow with the depth. Slices of the stacked weights share their memory.
 *
 * @param body  one layer, from its frozen and shared arguments and its input
 */
export function defineFrozenStack(
  library: FunctionLibrary,
  name: string,
  spec: LayerStackSpec,
  body: (fixed: Tensors, x: Tensor) => Tensor,
): (stacked: Tensors, shared: Tensors, x: Tensor) => Tensor {
  const x = { shape: spec.x, dtype: 'float32' } as const
  const layer = traceValue(library, `${name}/layer`, { ...spec.frozen, ...spec.shared, x }, ({ x: input, ...fixed }) =>
    body(fixed, input as Tensor),
  )
  const constant = { ...stackedSpecs(spec), ...spec.shared }
  const run = writeLoop(library, `${name}/value`, [I, X], constant, upTo(spec.layers), () => [
    plus('i', 1),
    layer([...layerArguments(spec), 'x']),
  ])
  return (stacked, shared, input) => {
    const [, y] = run([backend.recorder.int(0), backend.ref(input)], actualRefs(constant, { ...stacked, ...shared }))
    return backend.tensor(y as Ref, spec.x)
  }
}

/**
 * The same with trainable floats in each layer, and with a gradient. The forward loop keeps the input and residuals of
 * each layer in tensor lists, which hold references and copy nothing; the backward loop takes them out again.
 *
 * @param parameters  trainable floats of a layer
 * @param body        one layer, from its frozen and shared arguments, its input and its trainable floats
 */
export function defineLayerStack(
  library: FunctionLibrary,
  name: string,
  spec: LayerStackSpec,
  parameters: number,
  body: (fixed: Tensors, x: Tensor, row: Tensor) => Tensor,
): LayerStack {
  const { layers: L } = spec
  const P = parameters
  const x = { shape: spec.x, dtype: 'float32' } as const
  const row = { shape: [P], dtype: 'float32' } as const
  const layer = traceDifferentiable(
    library,
    `${name}/layer`,
    { ...spec.frozen, ...spec.shared },
    { x, row },
    (fixed, variable) => body(fixed, variable.x as Tensor, variable.row as Tensor),
  )
  const constant: Arguments = { ...stackedSpecs(spec), ...spec.shared, rows: { shape: [L, P], dtype: 'float32' } }
  const rowOf = () => sliceAt('rows', row)

  const value = writeLoop(library, `${name}/value`, [I, X], constant, upTo(L), () => [
    plus('i', 1),
    layer.value([...layerArguments(spec), 'x', rowOf()]),
  ])
  const kept: readonly Residual[] = [{ type: float32, shape: spec.x }, ...(spec.recompute ? [] : layer.residuals)]
  const lists = kept.map((_, k) => [`list_${k}`, variant] as const)
  const forward = writeLoop(library, `${name}/forward`, [I, X, ...lists], constant, upTo(L), () => {
    const args = [...layerArguments(spec), 'x', rowOf()]
    const [y, ...residuals] = (spec.recompute ? [layer.value(args)] : layer.forward(args)) as [Ref, ...Ref[]]
    const put = ['x', ...residuals].map((item, k) => setItem(`list_${k}`, item, (kept[k] as Residual).type))
    return [plus('i', 1), y, ...put]
  })
  const gradients = ['gradients', variant] as const
  const state = [I, ['dy', float32] as const, gradients, ...lists]
  const backward = writeLoop(library, `${name}/backward`, state, constant, downToZero, () => {
    const [input, ...taken] = kept.map((each, k) => getItem(`list_${k}`, each)) as [Ref, ...Ref[]]
    const args = [...layerArguments(spec), input, rowOf()]
    const residuals = spec.recompute ? layer.forward(args).slice(1) : taken
    const [dx, drow] = layer.backward(args, 'dy', residuals) as [Ref, Ref]
    const put = setItem('gradients', drow, float32)
    return [plus('i', -1), dx, put, ...lists.map(([list]) => list)]
  })

  return (stacked, shared, input, rows, differentiate) => {
    const fixed = actualRefs(constant, { ...stacked, ...shared, rows })
    const start = [backend.recorder.int(0), backend.ref(input)]
    if (!differentiate) return backend.tensor(value(start, fixed)[1] as Ref, spec.x)
    const operation = tf.customGrad(() => {
      const empty = kept.map((each) => reserve(L, each))
      const [, y, ...full] = forward([...start, ...empty], fixed)
      const gradFunc = (dy: Tensor | Tensor[]) => {
        const none = reserve(L, { type: float32, shape: [P] })
        const last = backend.recorder.int(L - 1)
        const [, dx, list] = backward([last, backend.ref(dy as Tensor), none, ...full], fixed)
        return [backend.tensor(dx as Ref, spec.x), backend.tensor(stackOf(list as Ref, L, P), [L, P])]
      }
      return { value: backend.tensor(y as Ref, spec.x), gradFunc }
    })
    return operation(input, rows)
  }
}

const I = ['i', int32] as const
const X = ['x', float32] as const

const upTo =
  (layers: number): Traced =>
  () =>
    backend.op('Less', ['i', backend.recorder.int(layers)], { T: attr.type(int32) }, DataType.bool)
const downToZero: Traced = () =>
  backend.op('GreaterEqual', ['i', backend.recorder.int(0)], { T: attr.type(int32) }, DataType.bool)

const stackedSpecs = ({ layers, frozen }: LayerStackSpec): Arguments =>
  Object.fromEntries(
    Object.entries(frozen).map(([key, { shape, dtype }]) => [key, { shape: [layers, ...shape], dtype }]),
  )

/** The frozen and shared arguments of layer `i` inside a loop. */
const layerArguments = ({ frozen, shared }: LayerStackSpec): Ref[] => [
  ...Object.entries(frozen).map(([key, each]) => sliceAt(key, each)),
  ...Object.keys(shared),
]

type Variables = readonly (readonly [name: string, type: DataType])[]
/** Traces into the current recorder. */
type Traced = () => Ref

/**
 * Writes a loop that maps `state`, and sees `constant` arguments as they are.
 *
 * @param step  references of the next state
 * @returns its call: the state after the last round
 */
function writeLoop(
  library: FunctionLibrary,
  name: string,
  state: Variables,
  constant: Arguments,
  more: Traced,
  step: () => Ref[],
): (initial: readonly Ref[], fixed: readonly Ref[]) => Ref[] {
  const variables = [...state, ...signatureOf(constant)]
  const types = variables.map(([, type]) => type)
  const write = (
    suffix: string,
    outputNames: readonly string[],
    outputTypes: readonly DataType[],
    trace: () => Ref[],
  ) => {
    const recorder = new Recorder()
    for (const [key, type] of variables) recorder.argument(key, type)
    const refs = backend.recordInto(recorder, trace)
    const outputs = refs.map((ref, i) => ({ name: outputNames[i] as string, ref, type: outputTypes[i] as DataType }))
    library.write(`${name}/${suffix}`, variables, outputs, recorder)
  }
  write('more', ['more'], [DataType.bool], () => [more()])
  const next = variables.map((_, i) => `next_${i}`)
  write('step', next, types, () => [...step(), ...Object.keys(constant)])
  const attributes = {
    T: attr.types(types),
    cond: attr.func(`${name}/more`),
    body: attr.func(`${name}/step`),
    output_shapes: attr.types([]),
    parallel_iterations: attr.int(1),
  }
  return (initial, fixed) =>
    backend.recorder.node('StatelessWhile', [...initial, ...fixed], attributes, types).slice(0, state.length)
}

const plus = (i: Ref, by: number): Ref =>
  backend.op('AddV2', [i, backend.recorder.int(by)], { T: attr.type(int32) }, int32)

/** Entry `i` of a stacked argument. */
function sliceAt(stack: Ref, spec: ArgumentSpec): Ref {
  const { recorder } = backend
  const { shape } = spec
  const type = dataTypeOf(spec)
  const T = attr.type(type)
  const index = attr.type(int32)
  const first = backend.op('Reshape', ['i', recorder.ints([1])], { T: index, Tshape: index }, int32)
  const zeros = recorder.ints(shape.map(() => 0))
  const concat = { N: attr.int(2), T: index, Tidx: index }
  const start = backend.op('ConcatV2', [first, zeros, recorder.int(0)], concat, int32)
  const slice = backend.op('Slice', [stack, start, recorder.ints([1, ...shape])], { T, Index: index }, type)
  return backend.op('Reshape', [slice, recorder.ints(shape)], { T, Tshape: index }, type)
}

/** The shape of a list's elements as its operations take it; −1 where it is unknown. */
const elementShape = ({ shape }: Residual): Ref =>
  shape === null ? backend.recorder.int(-1) : backend.recorder.ints(shape)

function reserve(size: number, element: Residual): Ref {
  const attributes = { element_dtype: attr.type(element.type), shape_type: attr.type(int32) }
  return backend.op('TensorListReserve', [elementShape(element), backend.recorder.int(size)], attributes, variant)
}

function setItem(list: Ref, item: Ref, type: DataType): Ref {
  const attributes = { element_dtype: attr.type(type), resize_if_index_out_of_bounds: attr.bool(false) }
  return backend.op('TensorListSetItem', [list, 'i', item], attributes, variant)
}

function getItem(list: Ref, element: Residual): Ref {
  const attributes = { element_dtype: attr.type(element.type) }
  return backend.op('TensorListGetItem', [list, 'i', elementShape(element)], attributes, element.type)
}

function stackOf(list: Ref, size: number, width: number): Ref {
  const attributes = { element_dtype: attr.type(float32), num_elements: attr.int(size) }
  return backend.op('TensorListStack', [list, backend.recorder.ints([width])], attributes, float32)
}
