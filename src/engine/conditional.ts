import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { type Arguments, call, declare, type FunctionLibrary, signatureOf } from './functions.js'
import { attr, DataType } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend, type MatmulType } from './tracing-backend.js'

/** A call that does its work only if `active` is true. */
export type Conditional = (active: Ref, args: readonly Ref[]) => Ref[]

export interface ConditionalBodies<Specs extends Arguments> {
  readonly matmul: MatmulType
  /** Its results are float32. */
  readonly work: (args: Record<keyof Specs, Tensor>) => Readonly<Record<string, Tensor>>
  /** What takes their place if it is not done: the same names and shapes. */
  readonly idle: () => Readonly<Record<string, Tensor>>
}

/** Writes a function with its arguments by name, and what is returned in its place while it is not active. */
export function defineConditional<Specs extends Arguments>(
  library: FunctionLibrary,
  name: string,
  specs: Specs,
  { matmul, work, idle }: ConditionalBodies<Specs>,
): Conditional {
  const inputs = signatureOf(specs)
  const types = inputs.map(([, type]) => type)
  const write = (suffix: string, body: ConditionalBodies<Specs>['work']) => {
    const recorder = new Recorder()
    const outputs = backend.withMatmul(matmul, () =>
      backend.recordInto(recorder, () =>
        tf.tidy(() => {
          const results = Object.entries(body(declare(recorder, specs) as Record<keyof Specs, Tensor>))
          return results.map(([key, tensor]) => ({ name: key, ref: backend.ref(tensor), type: DataType.float32 }))
        }),
      ),
    )
    library.write(`${name}${suffix}`, inputs, outputs, recorder)
    return outputs
  }
  const outputs = write('/chunk', work)
  const outputTypes = outputs.map(({ type }) => type)
  // a branch calls its work: TensorFlow puts oneDNN's products into called functions, not into branches
  const branch = new Recorder()
  for (const [key, type] of inputs) branch.argument(key, type)
  const names = inputs.map(([key]) => key)
  const results = backend.recordInto(branch, () => call(`${name}/chunk`, names, types, outputTypes))
  const named = outputs.map((output, i) => ({ ...output, ref: results[i] as Ref }))
  library.write(name, inputs, named, branch)
  write('/idle', idle)

  const attributes = {
    Tcond: attr.type(DataType.bool),
    Tin: attr.types(types),
    Tout: attr.types(outputTypes),
    then_branch: attr.func(name),
    else_branch: attr.func(`${name}/idle`),
  }
  return (active, args) => backend.recorder.node('StatelessIf', [active, ...args], attributes, outputTypes)
}
