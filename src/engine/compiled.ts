import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type ArgumentSpec,
  type Arguments,
  actualRefs,
  call,
  type FloatType,
  type FunctionLibrary,
  record,
  signatureOf,
} from './functions.js'
import { withGradient } from './ops.js'
import { Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend } from './tracing-backend.js'

/**
 * Work between the matrix products, which XLA compiles into few passes over memory whatever the executor of the
 * session is: each element is read once, computed in f32, and written once. It has no gradient of its own.
 *
 * @param outputs  type that each output is written in, by its name
 */
export function defineCompiled<O extends string>(
  library: FunctionLibrary,
  name: string,
  specs: Arguments,
  outputs: Readonly<Record<O, FloatType>>,
  body: (args: Readonly<Record<string, Tensor>>) => Readonly<Record<O, Tensor>>,
): (args: Readonly<Record<string, Tensor>>) => Record<O, Tensor> {
  const recorder = new Recorder()
  const traced = record(recorder, specs, outputs, body)
  const signature = signatureOf(specs)
  library.write(name, signature, traced, recorder)
  const inputTypes = signature.map(([, type]) => type)
  const outputTypes = traced.map(({ type }) => type)
  return (args) => {
    const refs = call(name, actualRefs(specs, args), inputTypes, outputTypes, true)
    const results = traced.map((o, i) => [o.name, backend.tensor(refs[i] as Ref, o.shape, 'float32', o.type)] as const)
    return Object.fromEntries(results) as Record<O, Tensor>
  }
}

export interface CompiledSpec {
  /** The argument with a gradient. */
  readonly x: ArgumentSpec & { readonly dtype: FloatType }
  /** Arguments without one. */
  readonly fixed: Arguments
  /** Type of the output, and of its gradient. */
  readonly output: FloatType
}

/**
 * The same for a function of one tensor, with its gradient. Of the forward pass only the arguments are kept: the
 * backward pass computes the rest again while it reads them.
 */
export function defineCompiledWithGradient(
  library: FunctionLibrary,
  name: string,
  { x, fixed, output }: CompiledSpec,
  body: (x: Tensor, fixed: Readonly<Record<string, Tensor>>) => Tensor,
): (x: Tensor, fixed: Readonly<Record<string, Tensor>>) => Tensor {
  let shape: readonly number[] = []
  const value = defineCompiled(library, `${name}/value`, { x, ...fixed }, { y: output }, ({ x: input, ...rest }) => {
    const y = body(input as Tensor, rest)
    shape = y.shape
    return { y }
  })
  const gradient = defineCompiled(
    library,
    `${name}/gradient`,
    { x, dy: { shape, dtype: output }, ...fixed },
    { dx: x.dtype },
    ({ x: input, dy, ...rest }) => ({ dx: tf.grad((each: Tensor) => body(each, rest))(input as Tensor, dy as Tensor) }),
  )
  const names = Object.keys(fixed)
  return (input, rest) =>
    withGradient(
      [input],
      ([each]) => ({
        value: value({ ...rest, x: each as Tensor }).y,
        kept: [each as Tensor, ...names.map((key) => rest[key] as Tensor)],
      }),
      (dy, [each, ...others]) => {
        const constant = Object.fromEntries(names.map((key, i) => [key, others[i] as Tensor]))
        return [gradient({ ...constant, x: each as Tensor, dy }).dx]
      },
    )
}
