import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { type Differentiable, type Residual, traceDifferentiable } from './differentiable.js'
import {
  type ArgumentSpec,
  type Arguments,
  actualRefs,
  type FunctionLibrary,
  type Tensors,
  traceValue,
} from './functions.js'
import { type Loop, plus, sliceAt, type Traced, writeLoop } from './loop.js'
import { attr, DataType } from './proto.js'
import type { Ref } from './recorder.js'
import { getItem, listOf, reserve, setItem, stackOf } from './tensor-list.js'
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

export interface TrainableStackSpec extends LayerStackSpec {
  /** Trainable floats of a layer. */
  readonly parameters: number
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
  const run = writeLoop(library, `${name}/value`, {
    state: [I, X],
    constant,
    more: upTo(spec.layers),
    step: () => [plus('i', 1), layer([...layerArguments(spec), 'x'])],
  })
  return (stacked, shared, input) => {
    const [, y] = run([backend.recorder.int(0), backend.ref(input)], actualRefs(constant, { ...stacked, ...shared }))
    return backend.tensor(y as Ref, spec.x)
  }
}

/**
 * The same with trainable floats in each layer, and with a gradient. The forward loop keeps the input and residuals of
 * each layer in tensor lists, which hold references and copy nothing; the backward loop takes them out again.
 *
 * @param body  one layer, from its frozen and shared arguments, its input and its trainable floats
 */
export function defineLayerStack(
  library: FunctionLibrary,
  name: string,
  spec: TrainableStackSpec,
  body: (fixed: Tensors, x: Tensor, row: Tensor) => Tensor,
): LayerStack {
  const { layers: L, parameters: P } = spec
  const { listsLeaveCalls } = library.options
  const x = { shape: spec.x, dtype: 'float32' } as const
  const row = { shape: [P], dtype: 'float32' } as const
  const layer = traceDifferentiable(
    library,
    `${name}/layer`,
    { frozen: { ...spec.frozen, ...spec.shared }, trainable: { x, row } },
    (fixed, variable) => body(fixed, variable.x as Tensor, variable.row as Tensor),
  )
  const constant: Arguments = { ...stackedSpecs(spec), ...spec.shared, rows: { shape: [L, P], dtype: 'float32' } }
  const kept: readonly Residual[] = [{ type: float32, shape: spec.x }, ...(spec.recompute ? [] : layer.residuals)]
  const { value, forward, backward } = writeLoops(library, name, { spec, constant, layer, kept, row })

  return (stacked, shared, input, rows, differentiate) => {
    const fixed = actualRefs(constant, { ...stacked, ...shared, rows })
    const start = [backend.recorder.int(0), backend.ref(input)]
    if (!differentiate) return backend.tensor(value(start, fixed)[1] as Ref, spec.x)
    const operation = tf.customGrad(() => {
      const empty = kept.map((each) => reserve(L, each))
      const [, y, ...lists] = forward([...start, ...empty], fixed)
      const full = listsLeaveCalls ? lists : lists.map((list, k) => stackOf(list, L, kept[k] as Residual))
      const gradFunc = (dy: Tensor | Tensor[]) => {
        const none = reserve(L, { type: float32, shape: [P] })
        const again = listsLeaveCalls ? full : full.map((stack, k) => listOf(stack, kept[k] as Residual))
        const last = backend.recorder.int(L - 1)
        const [, dx, list] = backward([last, backend.ref(dy as Tensor), none, ...again], fixed)
        return [
          backend.tensor(dx as Ref, spec.x),
          backend.tensor(stackOf(list as Ref, L, { type: float32, shape: [P] }), [L, P]),
        ]
      }
      return { value: backend.tensor(y as Ref, spec.x), gradFunc }
    })
    return operation(input, rows)
  }
}

/** The loops of a stack with a gradient: its value, its value with what is kept, and its gradients. */
function writeLoops(
  library: FunctionLibrary,
  name: string,
  { spec, constant, layer, kept, row }: StackParts,
): Readonly<Record<'value' | 'forward' | 'backward', Loop>> {
  const { layers: L, recompute } = spec
  const rowOf = () => sliceAt('rows', row)
  const lists = kept.map((_, k) => [`list_${k}`, variant] as const)
  const value = writeLoop(library, `${name}/value`, {
    state: [I, X],
    constant,
    more: upTo(L),
    step: () => [plus('i', 1), layer.value([...layerArguments(spec), 'x', rowOf()])],
  })
  const forward = writeLoop(library, `${name}/forward`, {
    state: [I, X, ...lists],
    constant,
    more: upTo(L),
    step: () => {
      const args = [...layerArguments(spec), 'x', rowOf()]
      const [y, ...residuals] = (recompute ? [layer.value(args)] : layer.forward(args)) as [Ref, ...Ref[]]
      const put = ['x', ...residuals].map((item, k) => setItem(`list_${k}`, item, (kept[k] as Residual).type))
      return [plus('i', 1), y, ...put]
    },
  })
  const backward = writeLoop(library, `${name}/backward`, {
    state: [I, ['dy', float32], ['gradients', variant], ...lists],
    constant,
    more: downToZero,
    step: () => {
      const [input, ...taken] = kept.map((each, k) => getItem(`list_${k}`, each)) as [Ref, ...Ref[]]
      const args = [...layerArguments(spec), input, rowOf()]
      const residuals = recompute ? layer.forward(args).slice(1) : taken
      const [dx, drow] = layer.backward(args, 'dy', residuals) as [Ref, Ref]
      const put = setItem('gradients', drow, float32)
      return [plus('i', -1), dx, put, ...lists.map(([list]) => list)]
    },
  })
  return { value, forward, backward }
}

interface StackParts {
  readonly spec: LayerStackSpec
  readonly constant: Arguments
  readonly layer: Differentiable
  /** What the forward loop keeps of each layer: its input, and its residuals unless they are computed again. */
  readonly kept: readonly Residual[]
  /** The trainable floats of one layer. */
  readonly row: ArgumentSpec
}

/** The state of a loop over layers. */
export const I = ['i', int32] as const
export const X = ['x', float32] as const

/** Whether round `i` is one of so many. */
export const upTo =
  (layers: number): Traced =>
  () =>
    backend.op('Less', ['i', backend.recorder.int(layers)], { T: attr.type(int32) }, DataType.bool)
const downToZero: Traced = () =>
  backend.op('GreaterEqual', ['i', backend.recorder.int(0)], { T: attr.type(int32) }, DataType.bool)

/** The frozen arguments as a stack takes them. */
export const stackedSpecs = ({ layers, frozen }: LayerStackSpec): Arguments =>
  Object.fromEntries(
    Object.entries(frozen).map(([key, { shape, dtype }]) => [key, { shape: [layers, ...shape], dtype }]),
  )

/** The frozen and shared arguments of layer `i` inside a loop. */
export const layerArguments = ({ frozen, shared }: LayerStackSpec): Ref[] => [
  ...Object.entries(frozen).map(([key, each]) => sliceAt(key, each)),
  ...Object.keys(shared),
]
