import { type ArgumentSpec, type Arguments, dataTypeOf, type FunctionLibrary, signatureOf } from './functions.js'
import { attr, DataType } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { backend } from './tracing-backend.js'

const { int32 } = DataType

export type Variables = readonly (readonly [name: string, type: DataType])[]
/** Traces into the current recorder. */
export type Traced = () => Ref

/** The call of a loop: the state after its last round. */
export type Loop = (initial: readonly Ref[], fixed: readonly Ref[]) => Ref[]

export interface LoopSpec {
  /** What a round maps. */
  readonly state: Variables
  /** Arguments that every round sees as they are. */
  readonly constant: Arguments
  /** Whether there is another round. */
  readonly more: Traced
  /** References of the next state. */
  readonly step: () => Ref[]
}

/** Writes a loop: `NAME/more` and `NAME/step`. */
export function writeLoop(library: FunctionLibrary, name: string, { state, constant, more, step }: LoopSpec): Loop {
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

/** An int32 scalar plus a constant. */
export const plus = (i: Ref, by: number): Ref =>
  backend.op('AddV2', [i, backend.recorder.int(by)], { T: attr.type(int32) }, int32)

/**
 * Entry `i` of a stacked argument, inside a loop.
 *
 * @param spec  of one entry
 */
export function sliceAt(stack: Ref, spec: ArgumentSpec): Ref {
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
