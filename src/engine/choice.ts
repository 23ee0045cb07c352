import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type Arguments,
  actualRefs,
  call,
  type FloatType,
  type FunctionLibrary,
  record,
  signatureOf,
  type Tensors,
} from './functions.js'
import { attr, DataType } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { backend, type MatmulType } from './tracing-backend.js'

export interface OptionSpec<O extends string> {
  readonly arguments: Arguments
  /** Type that each output is handed over in, by its name. */
  readonly outputs: Readonly<Record<O, FloatType>>
  readonly matmul: MatmulType
}

/** One of several functions with the same arguments and outputs. */
export interface Option<O extends string> {
  readonly name: string
  readonly spec: OptionSpec<O>
  readonly shapes: Readonly<Record<O, readonly number[]>>
}

/** Writes a function that `chosen` may call. It has no gradient of its own. */
export function defineOption<O extends string>(
  library: FunctionLibrary,
  name: string,
  spec: OptionSpec<O>,
  body: (args: Tensors) => Readonly<Record<O, Tensor>>,
): Option<O> {
  const recorder = new Recorder()
  const traced = backend.withMatmul(spec.matmul, () => record(recorder, spec.arguments, spec.outputs, body))
  const inputs = signatureOf(spec.arguments)
  library.write(`${name}/work`, inputs, traced, recorder)
  // a branch calls its work: TensorFlow puts oneDNN's products into called functions, not into branches
  const branch = new Recorder()
  for (const [key, type] of inputs) branch.argument(key, type)
  const types = inputs.map(([, type]) => type)
  const results = backend.recordInto(branch, () =>
    call(
      `${name}/work`,
      inputs.map(([key]) => key),
      types,
      traced.map(({ type }) => type),
    ),
  )
  library.write(
    name,
    inputs,
    traced.map((output, i) => ({ ...output, ref: results[i] as Ref })),
    branch,
  )
  const shapes = Object.fromEntries(traced.map(({ name: key, shape }) => [key, shape as readonly number[]])) as Record<
    O,
    readonly number[]
  >
  return { name, spec, shapes }
}

/**
 * Runs one of several functions; the others are not computed.
 *
 * @param which    int32 scalar: the index of the one that runs
 * @param options  of the same arguments, and outputs of the same shapes
 */
export function chosen<O extends string>(
  which: Tensor,
  options: readonly Option<O>[],
  args: Tensors,
): Readonly<Record<O, Tensor>> {
  const { name, spec, shapes } = options[0] as Option<O>
  const names = Object.keys(spec.outputs) as O[]
  const inputs = actualRefs(spec.arguments, args)
  const inputTypes = signatureOf(spec.arguments).map(([, type]) => type)
  const types = names.map((key) => (spec.outputs[key] === 'bfloat16' ? DataType.bfloat16 : DataType.float32))
  const attributes = {
    Tin: attr.types(inputTypes),
    Tout: attr.types(types),
    branches: attr.funcs(options.map((option) => option.name)),
  }
  const refs =
    options.length === 1
      ? call(`${name}/work`, inputs, inputTypes, types)
      : backend.recorder.node('StatelessCase', [backend.ref(which), ...inputs], attributes, types)
  const results = names.map(
    (key, i) => [key, backend.tensor(refs[i] as Ref, shapes[key], 'float32', types[i])] as const,
  )
  return Object.fromEntries(results) as Record<O, Tensor>
}
