import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { dataTypeOf, type FunctionLibrary } from './functions.js'
import { bitcastFloat } from './ops.js'
import { attr, DataType } from './proto.js'
import { ownerOf, Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend, type MatmulType } from './tracing-backend.js'

/** A value that stays on the device between calls. */
export interface Variable {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: 'float32' | 'bfloat16' | 'int32'
}

/** Inputs come from the host. They travel as int32; a float input travels as its bits. */
export type Inputs = Readonly<
  Record<string, { readonly shape: readonly number[]; readonly dtype: 'float32' | 'int32' }>
>

/** What the code of a program sees. */
export interface ProgramScope {
  readonly inputs: Readonly<Record<string, Tensor>>
  /** The value of a variable at the start of the call. */
  read(variable: Variable): Tensor
  /** Sets a variable once everything in this call that reads it has read it. Once per variable and program. */
  assign(variable: Variable, value: Tensor): void
}

/** A traced program: one stateful function over resident variables. */
export interface Program {
  readonly name: string
  readonly inputs: Inputs
  readonly outputs: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: string }[]
  readonly variables: readonly Variable[]
}

/**
 * Traces `body` into a function of the library. Everything that it returns is fetched by each call.
 *
 * @param matmul  type of the matrix products in it; softmax, norms, losses and sums stay in f32
 */
export function traceProgram(
  library: FunctionLibrary,
  name: string,
  inputs: Inputs,
  body: (scope: ProgramScope) => Readonly<Record<string, Tensor>>,
  matmul: MatmulType = 'f32',
): Program {
  const recorder = new Recorder()
  const used = new Map<string, { variable: Variable; reads: Ref[]; value?: Tensor; assigned: boolean }>()
  const control: Ref[] = []
  const use = (variable: Variable) => {
    const entry = used.get(variable.name) ?? { variable, reads: [] as Ref[], assigned: false }
    if (!used.has(variable.name)) {
      used.set(variable.name, entry)
      recorder.argument(variableArgument(variable), DataType.resource)
    }
    return entry as typeof entry & { value?: Tensor }
  }
  const scopeOf = (tensors: Record<string, Tensor>): ProgramScope => ({
    inputs: tensors,
    read(variable) {
      const entry = use(variable)
      if (!entry.value) {
        const type = dataTypeOf(variable)
        const ref = backend.op('ReadVariableOp', [variableArgument(variable)], { dtype: attr.type(type) }, type)
        entry.reads.push(`^${ownerOf(ref)}`)
        entry.value = tf.keep(
          backend.tensor(ref, variable.shape, variable.dtype === 'int32' ? 'int32' : 'float32', type),
        )
      }
      return entry.value
    },
    assign(variable, value) {
      const entry = use(variable)
      if (entry.assigned) throw new Error(`${variable.name} is assigned twice in ${name}`)
      entry.assigned = true
      const type = dataTypeOf(variable)
      const ref = type === DataType.bfloat16 ? backend.refBfloat16(value) : backend.ref(value)
      const operands = [variableArgument(variable), ref, ...entry.reads]
      backend.recorder.node('AssignVariableOp', operands, { dtype: attr.type(type) }, [])
      control.push(`^${recorder.nodes.at(-1)?.name}`)
    },
  })
  const outputs = backend.withMatmul(matmul, () =>
    backend.recordInto(recorder, () =>
      tf.tidy(() => {
        const tensors = Object.entries(inputs).map(([key, { shape, dtype }]) => {
          recorder.argument(inputArgument(key), DataType.int32)
          const bits = backend.tensor(inputArgument(key), shape, 'int32')
          return [key, dtype === 'float32' ? bitcastFloat(bits) : bits] as const
        })
        const results = Object.entries(body(scopeOf(Object.fromEntries(tensors))))
        // every fetched value waits for every update: a call that has returned has been applied whole
        return results.map(([key, tensor]) => {
          const { ref, type } = {
            ref: backend.ref(tensor),
            type: backend.raw(tensor).type === DataType.int32 ? DataType.int32 : DataType.float32,
          }
          const identity = backend.op('Identity', [ref, ...control], { T: attr.type(type) }, type)
          return { name: key, ref: identity, type, shape: [...tensor.shape], dtype: tensor.dtype }
        })
      }),
    ),
  )
  if (outputs.length === 0) throw new Error(`program ${name} returns nothing: a call must fetch at least one value`)
  const variables = [...used.values()].map((entry) => entry.variable)
  for (const entry of used.values()) entry.value?.dispose()
  const signature = [
    ...Object.keys(inputs).map((key) => [inputArgument(key), DataType.int32] as const),
    ...variables.map((variable) => [variableArgument(variable), DataType.resource] as const),
  ]
  library.write(name, signature, outputs, recorder, { stateful: true, inline: true, keep: control })
  return { name, inputs, outputs, variables }
}

const inputArgument = (key: string) => `in_${key}`
/** Argument names of a function allow letters, digits and underscores only. */
const variableArgument = (variable: Variable) => `var_${variable.name.replace(/[^A-Za-z0-9_]/g, '_')}`
