import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { outputRef } from './op-table.js'
import { attr, DataType, type FunctionDef, nodeDef, proto } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend, type TraceDtype, typeOf } from './tracing-backend.js'

/** Shape and type of a function's argument. `bfloat16` values look like float32 to the code that is traced. */
export interface ArgumentSpec {
  readonly shape: readonly number[]
  readonly dtype: TraceDtype | 'bfloat16'
}
export type Arguments = Readonly<Record<string, ArgumentSpec>>
export type Tensors = Readonly<Record<string, Tensor>>

export const dataTypeOf = (spec: ArgumentSpec): DataType =>
  spec.dtype === 'bfloat16' ? DataType.bfloat16 : typeOf(spec.dtype)

/** An output of a function that is written to the library. */
export interface Output {
  readonly name: string
  readonly ref: Ref
  readonly type: DataType
}

export interface LibraryOptions {
  /** Whether lists of tensors may go from one call of a program to another. What XLA compiles takes and returns tensors. */
  readonly listsLeaveCalls: boolean
}

/** The functions of one session. */
export class FunctionLibrary {
  readonly definitions: FunctionDef[] = []
  readonly #names = new Set<string>()

  constructor(readonly options: LibraryOptions = { listsLeaveCalls: true }) {}

  /** Writes the part of `recorder` that `outputs` need as a function; references in `renamed` are its arguments. */
  write(
    name: string,
    inputs: readonly (readonly [name: string, type: DataType])[],
    outputs: readonly Output[],
    recorder: Recorder,
    options: { stateful?: boolean; inline?: boolean; renamed?: ReadonlyMap<Ref, string>; keep?: readonly Ref[] } = {},
  ): void {
    if (this.#names.has(name)) throw new Error(`function ${name} is defined twice`)
    this.#names.add(name)
    const renamed = options.renamed ?? new Map<Ref, string>()
    const definition = new proto.FunctionDef()
    const signature = new proto.OpDef()
    signature.setName(name)
    signature.setIsStateful(options.stateful === true)
    const argument = (argName: string, type: DataType) => {
      const arg = new proto.OpDef.ArgDef()
      arg.setName(argName)
      arg.setType(type)
      return arg
    }
    for (const [argName, type] of inputs) signature.addInputArg(argument(argName, type))
    const roots = [...outputs.map((o) => o.ref), ...(options.keep ?? [])]
    const needed = recorder.reachable(roots, new Set(renamed.keys()))
    for (const node of recorder.nodes) {
      if (!needed.has(node.name)) continue
      const refs = node.inputs.map((ref) => renamed.get(ref) ?? definitionRef(recorder, ref))
      definition.addNodeDef(nodeDef(node.name, node.op, refs, node.attributes))
    }
    for (const output of outputs) {
      signature.addOutputArg(argument(output.name, output.type))
      definition.getRetMap().set(output.name, renamed.get(output.ref) ?? definitionRef(recorder, output.ref))
    }
    definition.setSignature(signature)
    // one instance for all calls: what a first call costs is TensorFlow's own work per graph node
    if (options.inline !== true) definition.getAttrMap().set('_noinline', attr.bool(true))
    this.definitions.push(definition)
  }
}

/** A reference as a FunctionDef spells it: outputs by their names; arguments and control inputs as they are. */
function definitionRef(recorder: Recorder, ref: Ref): string {
  const [node, index] = ref.split(':')
  if (index === undefined) return ref
  return outputRef(node as string, recorder.find(node as string)?.op as string, Number(index))
}

/**
 * ConfigProto { allow_soft_placement: true } for the attribute `config_proto` of a call: any configuration of its own
 * lets TensorFlow optimise the function called, once, by itself. An empty one inherits the session's, which switches
 * the graph optimizer off (docs/adr/002).
 */
export const OPTIMISED = attr.string('\u0038\u0001')

/**
 * Appends a call of a stateless function to the current recorder.
 *
 * @param compiled  by XLA, whatever the executor
 */
export function call(
  name: string,
  inputs: readonly Ref[],
  inputTypes: readonly DataType[],
  outputTypes: readonly DataType[],
  compiled = false,
): Ref[] {
  const none = attr.string('')
  const attributes = {
    Tin: attr.types(inputTypes),
    Tout: attr.types(outputTypes),
    f: attr.func(name),
    config: none,
    config_proto: OPTIMISED,
    executor_type: none,
    ...(compiled ? { _XlaMustCompile: attr.bool(true) } : {}),
  }
  return backend.recorder.node('PartitionedCall', inputs, attributes, outputTypes)
}

/** Stand-ins for the arguments of a function under trace. */
export function declare(recorder: Recorder, specs: Arguments): Tensors {
  const entries = Object.entries(specs).map(([name, spec]) => {
    const type = dataTypeOf(spec)
    recorder.argument(name, type)
    const dtype = spec.dtype === 'bfloat16' ? 'float32' : spec.dtype
    return [name, backend.tensor(name, spec.shape, dtype, type)] as const
  })
  return Object.fromEntries(entries)
}

/** Type that a value of floats is handed over in. */
export type FloatType = 'float32' | 'bfloat16'

/** Records the work of a function. @returns its outputs, in the types and the order of `outputs` */
export function record<O extends string>(
  recorder: Recorder,
  specs: Arguments,
  outputs: Readonly<Record<O, FloatType>>,
  body: (args: Tensors) => Readonly<Record<O, Tensor>>,
) {
  return backend.recordInto(recorder, () =>
    tf.tidy(() => {
      const results = body(declare(recorder, specs))
      return (Object.entries(outputs) as [O, FloatType][]).map(([key, dtype]) => {
        const low = dtype === 'bfloat16'
        const ref = low ? backend.refBfloat16(results[key]) : backend.ref(results[key])
        return { name: key, ref, type: low ? DataType.bfloat16 : DataType.float32, shape: results[key].shape }
      })
    }),
  )
}

export const signatureOf = (specs: Arguments) =>
  Object.entries(specs).map(([name, spec]) => [name, dataTypeOf(spec)] as const)

/** References to the actual arguments of a call, in the types that the function declares. */
export function actualRefs(specs: Arguments, tensors: Tensors): Ref[] {
  return Object.entries(specs).map(([name, spec]) => {
    const tensor = tensors[name]
    if (!tensor) throw new Error(`argument ${name} is missing in a call`)
    return spec.dtype === 'bfloat16' ? backend.refBfloat16(tensor) : backend.ref(tensor)
  })
}

/**
 * A pure function that is traced once and called many times.
 *
 * @param body  its outputs, by name, from its arguments
 */
export function defineFunction<O extends string>(
  library: FunctionLibrary,
  name: string,
  specs: Arguments,
  body: (args: Tensors) => Record<O, Tensor>,
): (args: Tensors) => Record<O, Tensor> {
  const recorder = new Recorder()
  const outputs = backend.recordInto(recorder, () =>
    tf.tidy(() =>
      Object.entries<Tensor>(body(declare(recorder, specs))).map(([key, tensor]) => ({
        name: key as O,
        ref: backend.ref(tensor),
        shape: tensor.shape,
        dtype: tensor.dtype as TraceDtype,
        type: typeOf(tensor.dtype),
      })),
    ),
  )
  const signature = signatureOf(specs)
  library.write(name, signature, outputs, recorder)
  return (args) => {
    const refs = call(
      name,
      actualRefs(specs, args),
      signature.map(([, type]) => type),
      outputs.map((o) => o.type),
    )
    const results = outputs.map((o, i) => [o.name, backend.tensor(refs[i] as Ref, o.shape, o.dtype)] as const)
    return Object.fromEntries(results) as Record<O, Tensor>
  }
}

/** Traces a pure function of one f32 output. @returns its call */
export function traceValue(
  library: FunctionLibrary,
  name: string,
  specs: Arguments,
  body: (args: Tensors) => Tensor,
): (args: readonly Ref[]) => Ref {
  const recorder = new Recorder()
  const ref = backend.recordInto(recorder, () => tf.tidy(() => backend.ref(body(declare(recorder, specs)))))
  const inputs = signatureOf(specs)
  library.write(name, inputs, [{ name: 'y', ref, type: DataType.float32 }], recorder)
  const types = inputs.map(([, type]) => type)
  return (args) => call(name, args, types, [DataType.float32])[0] as Ref
}
