import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { dataTypeOf, type FunctionLibrary } from './functions.js'
import { bitcastFloat } from './ops.js'
import { type ProgramCall, type Source, writeSegments, writeWhole } from './program-calls.js'
import { attr, DataType } from './proto.js'
import { ownerOf, Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend, type MatmulType } from './tracing-backend.js'
import { type Inputs, inputArgument, stageOf, type Variable, variableArgument } from './variable.js'

export type { Inputs, Variable } from './variable.js'

/** What the code of a program sees. */
export interface ProgramScope {
  readonly inputs: Readonly<Record<string, Tensor>>
  /** The value of a variable at the start of the call. */
  read(variable: Variable): Tensor
  /** Sets a variable once everything in this call that reads it has read it. Once per variable and program. */
  assign(variable: Variable, value: Tensor): void
}

/** A traced program: stateful functions over resident variables. */
export interface Program {
  readonly name: string
  readonly inputs: Inputs
  readonly outputs: readonly ProgramOutput[]
  readonly variables: readonly Variable[]
  /** Those of them that a call sets. */
  readonly written: readonly Variable[]
  /** Each comes after those that it takes something from. One, unless its variables are at several stages. */
  readonly calls: readonly ProgramCall[]
}

export interface ProgramOutput {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: string
  readonly source: Source
}

/**
 * Traces `body` into functions of the library. Everything that it returns is fetched by each call.
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
  const variables = new VariableUses(name, recorder)
  const outputs = backend.withMatmul(matmul, () =>
    backend.recordInto(recorder, () =>
      tf.tidy(() => {
        const scope = {
          inputs: declareInputs(recorder, inputs),
          read: (variable: Variable) => variables.read(variable),
          assign: (variable: Variable, value: Tensor) => variables.assign(variable, value),
        }
        const results = body(scope)
        // every fetched value waits for every update: a call that has returned has been applied whole
        const updates = variables.isSpread ? [] : variables.updates
        return Object.entries(results).map(([key, tensor]) => {
          const ref = backend.ref(tensor)
          const type = backend.raw(tensor).type === DataType.int32 ? DataType.int32 : DataType.float32
          const identity = backend.op('Identity', [ref, ...updates], { T: attr.type(type) }, type)
          return { name: key, ref: identity, type, shape: [...tensor.shape], dtype: tensor.dtype }
        })
      }),
    ),
  )
  if (outputs.length === 0) throw new Error(`program ${name} returns nothing: a call must fetch at least one value`)
  variables.dispose()
  const trace = { name, inputs, variables: variables.all, recorder, outputs, updates: variables.updates }
  const { calls, sources } = (variables.isSpread ? writeSegments : writeWhole)(library, trace)
  const fetched = outputs.map(({ name: key, shape, dtype }, i) => {
    return { name: key, shape, dtype, source: sources[i] as Source }
  })
  return { name, inputs, outputs: fetched, variables: variables.all, written: variables.written, calls }
}

function declareInputs(recorder: Recorder, inputs: Inputs): Readonly<Record<string, Tensor>> {
  const tensors = Object.entries(inputs).map(([key, { shape, dtype }]) => {
    recorder.argument(inputArgument(key), DataType.int32)
    const bits = backend.tensor(inputArgument(key), shape, 'int32')
    return [key, dtype === 'float32' ? bitcastFloat(bits) : bits] as const
  })
  return Object.fromEntries(tensors)
}

interface VariableUse {
  readonly variable: Variable
  /** Control inputs: what has read it. */
  readonly reads: Ref[]
  value: Tensor | null
  assigned: boolean
}

/** The variables that a program reads and assigns while it is traced. */
class VariableUses {
  readonly #uses = new Map<string, VariableUse>()
  /** Control inputs: what has assigned a variable. */
  readonly updates: Ref[] = []

  constructor(
    private readonly program: string,
    private readonly recorder: Recorder,
  ) {}

  /** In the order of their first use. */
  get all(): readonly Variable[] {
    return [...this.#uses.values()].map(({ variable }) => variable)
  }

  get written(): readonly Variable[] {
    return [...this.#uses.values()].filter(({ assigned }) => assigned).map(({ variable }) => variable)
  }

  /** Whether they are at several stages. */
  get isSpread(): boolean {
    return new Set(this.all.map(stageOf)).size > 1
  }

  read(variable: Variable): Tensor {
    const use = this.#use(variable)
    if (use.value) return use.value
    const type = dataTypeOf(variable)
    const ref = backend.op('ReadVariableOp', [variableArgument(variable)], { dtype: attr.type(type) }, type)
    use.reads.push(`^${ownerOf(ref)}`)
    use.value = tf.keep(backend.tensor(ref, variable.shape, 'float32', type))
    return use.value
  }

  assign(variable: Variable, value: Tensor): void {
    const use = this.#use(variable)
    if (use.assigned) throw new Error(`${variable.name} is assigned twice in ${this.program}`)
    use.assigned = true
    const type = dataTypeOf(variable)
    const ref = type === DataType.bfloat16 ? backend.refBfloat16(value) : backend.ref(value)
    const operands = [variableArgument(variable), ref, ...use.reads]
    backend.recorder.node('AssignVariableOp', operands, { dtype: attr.type(type) }, [])
    this.updates.push(`^${this.recorder.nodes.at(-1)?.name}`)
  }

  /** Lets go of the values read, which outlive `tf.tidy`. */
  dispose(): void {
    for (const { value } of this.#uses.values()) value?.dispose()
  }

  #use(variable: Variable): VariableUse {
    const known = this.#uses.get(variable.name)
    if (known) return known
    const use = { variable, reads: [], value: null, assigned: false }
    this.#uses.set(variable.name, use)
    this.recorder.argument(variableArgument(variable), DataType.resource)
    return use
  }
}
