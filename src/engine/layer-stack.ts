import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type ArgumentSpec,
  type Arguments,
  actualRefs,
  dataTypeOf,
  type FunctionLibrary,
  signatureOf,
  type Tensors,
  traceDifferentiable,
  traceValue,
} from './functions.js'
import { type Attributes, attr, DataType } from './proto.js'
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
  const run = writeLoop(library, `${name}/value`, [I, X], constant, UPWARDS(spec.layers), (recorder) => [
    plus(recorder, 'i', 1),
    layer([...layerArguments(recorder, spec), 'x']),
  ])
  return (stacked, shared, input) => {
    const [, y] = run([backend.recorder.int(0), backend.ref(input)], actualRefs(constant, { ...stacked, ...shared }))
    return backend.tensor(y as Ref, spec.x)
  }
}

/**
 * The same with trainable floats in each layer, and with a gradient. The forward loop keeps the residuals of each layer
 * in tensor lists, which hold references and copy nothing; the backward loop takes them out again.
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
  const rowOf = (recorder: Recorder) => sliceAt(recorder, 'rows', row)

  const value = writeLoop(library, `${name}/value`, [I, X], constant, UPWARDS(L), (recorder) => [
    plus(recorder, 'i', 1),
    layer.value([...layerArguments(recorder, spec), 'x', rowOf(recorder)]),
  ])
  const kept: readonly Element[] = [{ type: float32, shape: spec.x }, ...layer.residuals]
  const lists = kept.map((_, k) => [`list_${k}`, variant] as const)
  const forward = writeLoop(library, `${name}/forward`, [I, X, ...lists], constant, UPWARDS(L), (recorder) => {
    const [y, ...residuals] = layer.forward([...layerArguments(recorder, spec), 'x', rowOf(recorder)]) as [
      Ref,
      ...Ref[],
    ]
    const put = ['x', ...residuals].map((item, k) => setItem(recorder, `list_${k}`, item, (kept[k] as Element).type))
    return [plus(recorder, 'i', 1), y, ...put]
  })
  const gradients = ['gradients', variant] as const
  const state = [I, ['dy', float32] as const, gradients, ...lists]
  const backward = writeLoop(library, `${name}/backward`, state, constant, DOWNWARDS, (recorder) => {
    const [input, ...residuals] = kept.map((each, k) => getItem(recorder, `list_${k}`, each)) as [Ref, ...Ref[]]
    const args = [...layerArguments(recorder, spec), input, rowOf(recorder)]
    const [dx, drow] = layer.backward(args, 'dy', residuals) as [Ref, Ref]
    const put = setItem(recorder, 'gradients', drow, float32)
    return [plus(recorder, 'i', -1), dx, put, ...lists.map(([list]) => list)]
  })

  return (stacked, shared, input, rows, differentiate) => {
    const fixed = actualRefs(constant, { ...stacked, ...shared, rows })
    const start = [backend.recorder.int(0), backend.ref(input)]
    if (!differentiate) return backend.tensor(value(start, fixed)[1] as Ref, spec.x)
    const operation = tf.customGrad(() => {
      const empty = kept.map((each) => reserve(backend.recorder, L, each))
      const [, y, ...full] = forward([...start, ...empty], fixed)
      const gradFunc = (dy: Tensor | Tensor[]) => {
        const { recorder } = backend
        const none = reserve(recorder, L, { type: float32, shape: [P] })
        const last = recorder.int(L - 1)
        const [, dx, list] = backward([last, backend.ref(dy as Tensor), none, ...full], fixed)
        return [backend.tensor(dx as Ref, spec.x), backend.tensor(stackOf(recorder, list as Ref, L, P), [L, P])]
      }
      return { value: backend.tensor(y as Ref, spec.x), gradFunc }
    })
    return operation(input, rows)
  }
}

const I = ['i', int32] as const
const X = ['x', float32] as const

const UPWARDS =
  (layers: number): More =>
  (recorder) =>
    op(recorder, 'Less', ['i', recorder.int(layers)], { T: attr.type(int32) }, DataType.bool)
const DOWNWARDS: More = (recorder) =>
  op(recorder, 'GreaterEqual', ['i', recorder.int(0)], { T: attr.type(int32) }, DataType.bool)

const stackedSpecs = ({ layers, frozen }: LayerStackSpec): Arguments =>
  Object.fromEntries(
    Object.entries(frozen).map(([key, { shape, dtype }]) => [key, { shape: [layers, ...shape], dtype }]),
  )

/** The frozen and shared arguments of layer `i` inside a loop. */
const layerArguments = (recorder: Recorder, { frozen, shared }: LayerStackSpec): Ref[] => [
  ...Object.entries(frozen).map(([key, each]) => sliceAt(recorder, key, each)),
  ...Object.keys(shared),
]

type Variables = readonly (readonly [name: string, type: DataType])[]
type More = (recorder: Recorder) => Ref

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
  more: More,
  step: (recorder: Recorder) => Ref[],
): (initial: readonly Ref[], fixed: readonly Ref[]) => Ref[] {
  const variables = [...state, ...signatureOf(constant)]
  const types = variables.map(([, type]) => type)
  const begin = () => {
    const recorder = new Recorder()
    for (const [key, type] of variables) recorder.argument(key, type)
    return recorder
  }
  const condition = begin()
  const goesOn = more(condition)
  library.write(`${name}/more`, variables, [{ name: 'more', ref: goesOn, type: DataType.bool }], condition)
  const round = begin()
  const next = [...backend.recordInto(round, () => step(round)), ...Object.keys(constant)]
  const outputs = next.map((ref, i) => ({ name: `next_${i}`, ref, type: types[i] as DataType }))
  library.write(`${name}/step`, variables, outputs, round)
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

const op = (recorder: Recorder, name: string, inputs: readonly Ref[], attributes: Attributes, type: DataType): Ref =>
  recorder.node(name, inputs, attributes, [type])[0] as Ref

const plus = (recorder: Recorder, i: Ref, by: number): Ref =>
  op(recorder, 'AddV2', [i, recorder.int(by)], { T: attr.type(int32) }, int32)

/** Entry `i` of a stacked argument. */
function sliceAt(recorder: Recorder, stack: Ref, spec: ArgumentSpec): Ref {
  const { shape } = spec
  const type = dataTypeOf(spec)
  const T = attr.type(type)
  const index = attr.type(int32)
  const first = op(recorder, 'Reshape', ['i', recorder.ints([1])], { T: index, Tshape: index }, int32)
  const zeros = recorder.ints(shape.map(() => 0))
  const concat = { N: attr.int(2), T: index, Tidx: index }
  const start = op(recorder, 'ConcatV2', [first, zeros, recorder.int(0)], concat, int32)
  const slice = op(recorder, 'Slice', [stack, start, recorder.ints([1, ...shape])], { T, Index: index }, type)
  return op(recorder, 'Reshape', [slice, recorder.ints(shape)], { T, Tshape: index }, type)
}

interface Element {
  readonly type: DataType
  readonly shape: readonly number[] | null
}

/** The shape of a list's elements as its operations take it; −1 where it is unknown. */
const elementShape = (recorder: Recorder, { shape }: Element): Ref =>
  shape === null ? recorder.int(-1) : recorder.ints(shape)

const reserve = (recorder: Recorder, size: number, element: Element): Ref =>
  op(
    recorder,
    'TensorListReserve',
    [elementShape(recorder, element), recorder.int(size)],
    { element_dtype: attr.type(element.type), shape_type: attr.type(int32) },
    variant,
  )

const setItem = (recorder: Recorder, list: Ref, item: Ref, type: DataType): Ref =>
  op(
    recorder,
    'TensorListSetItem',
    [list, 'i', item],
    { element_dtype: attr.type(type), resize_if_index_out_of_bounds: attr.bool(false) },
    variant,
  )

const getItem = (recorder: Recorder, list: Ref, element: Element): Ref =>
  op(
    recorder,
    'TensorListGetItem',
    [list, 'i', elementShape(recorder, element)],
    { element_dtype: attr.type(element.type) },
    element.type,
  )

const stackOf = (recorder: Recorder, list: Ref, size: number, width: number): Ref =>
  op(
    recorder,
    'TensorListStack',
    [list, recorder.ints([width])],
    { element_dtype: attr.type(float32), num_elements: attr.int(size) },
    float32,
  )
