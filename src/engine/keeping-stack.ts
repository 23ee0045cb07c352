import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { actualRefs, call, declare, type FunctionLibrary, signatureOf, type Tensors } from './functions.js'
import { I, type LayerStackSpec, layerArguments, stackedSpecs, upTo, X } from './layer-stack.js'
import { plus, writeLoop } from './loop.js'
import { DataType } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { reserve, setItem, stackOf } from './tensor-list.js'
import { tf } from './tensorflow.js'
import { backend } from './tracing-backend.js'

const { float32, variant } = DataType

/** Shapes by name. */
export type Kept = Readonly<Record<string, readonly number[]>>

/**
 * As `defineFrozenStack`, for layers of which more is wanted than what comes out of the last.
 *
 * @param kept  what each layer yields beside its output, f32
 * @param body  one layer, from its frozen and shared arguments and its input: `y`, and what is kept
 * @returns `y` of the last layer; what is kept has a first axis of layers
 */
export function defineKeepingStack(
  library: FunctionLibrary,
  name: string,
  { spec, kept }: { readonly spec: LayerStackSpec; readonly kept: Kept },
  body: (fixed: Tensors, x: Tensor) => Tensors,
): (stacked: Tensors, shared: Tensors, x: Tensor) => Tensors {
  const names = Object.keys(kept)
  const outputs = ['y', ...names]
  const specs = { ...spec.frozen, ...spec.shared, x: { shape: spec.x, dtype: 'float32' as const } }
  const recorder = new Recorder()
  const refs = backend.recordInto(recorder, () =>
    tf.tidy(() => {
      const { x, ...fixed } = declare(recorder, specs)
      const results = body(fixed, x as Tensor)
      return outputs.map((key) => ({ name: key, ref: backend.ref(results[key] as Tensor), type: float32 }))
    }),
  )
  const signature = signatureOf(specs)
  library.write(`${name}/layer`, signature, refs, recorder)
  const types = signature.map(([, type]) => type)
  const layer = (args: readonly Ref[]) =>
    call(
      `${name}/layer`,
      args,
      types,
      outputs.map(() => float32),
    )

  const constant = { ...stackedSpecs(spec), ...spec.shared }
  const run = writeLoop(library, `${name}/value`, {
    state: [I, X, ...names.map((key) => [`list_${key}`, variant] as const)],
    constant,
    more: upTo(spec.layers),
    step: () => {
      const [y, ...items] = layer([...layerArguments(spec), 'x']) as [Ref, ...Ref[]]
      return [plus('i', 1), y, ...names.map((key, k) => setItem(`list_${key}`, items[k] as Ref, float32))]
    },
  })
  return (stacked, shared, input) => {
    const empty = Object.values(kept).map((shape) => reserve(spec.layers, { type: float32, shape: [...shape] }))
    const initial = [backend.recorder.int(0), backend.ref(input), ...empty]
    const [, y, ...lists] = run(initial, actualRefs(constant, { ...stacked, ...shared }))
    const stacks = Object.entries(kept).map(([key, shape], k) => {
      const ref = stackOf(lists[k] as Ref, spec.layers, { type: float32, shape })
      return [key, backend.tensor(ref, [spec.layers, ...shape])] as const
    })
    return { y: backend.tensor(y as Ref, spec.x), ...Object.fromEntries(stacks) }
  }
}
