import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { attr, DataType, type FunctionDef, nodeDef, proto } from './proto.js'
import { ownerOf, Recorder, type Ref } from './recorder.js'
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

interface Output {
  readonly name: string
  readonly ref: Ref
  readonly type: DataType
}

/** The functions of one SavedModel. */
export class FunctionLibrary {
  readonly definitions: FunctionDef[] = []
  readonly #names = new Set<string>()

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
      const refs = node.inputs.map((ref) => renamed.get(ref) ?? ref)
      definition.addNodeDef(nodeDef(node.name, node.op, refs, node.attributes))
    }
    for (const output of outputs) {
      signature.addOutputArg(argument(output.name, output.type))
      definition.getRetMap().set(output.name, renamed.get(output.ref) ?? output.ref)
    }
    definition.setSignature(signature)
    // one instance for all calls: what a first call costs is TensorFlow's own work per graph node
    if (options.inline !== true) definition.getAttrMap().set('_noinline', attr.bool(true))
    this.definitions.push(definition)
  }
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

/** What is kept of the forward part for the backward part. */
export interface Residual {
  readonly type: DataType
  /** null where it is not known while tracing. */
  readonly shape: readonly number[] | null
}

/** Three functions of one traced computation: `NAME/value`, `NAME/forward` and `NAME/backward`. */
export interface Differentiable {
  readonly shape: readonly number[]
  readonly residuals: readonly Residual[]
  /** y */
  value(args: readonly Ref[]): Ref
  /** y, then the residuals */
  forward(args: readonly Ref[]): Ref[]
  /** Gradients of the trainable arguments, in their order. */
  backward(args: readonly Ref[], dy: Ref, residuals: readonly Ref[]): Ref[]
}

/**
 * Traces a pure function of one output with its gradient. The trace is cut at the end of its forward part: what the
 * backward part needs of the forward part becomes extra outputs of the forward function (as in JAX's partial
 * evaluation), so nothing is computed twice and the gradients are those of the whole.
 *
 * Its functions take the frozen arguments, then the trainable ones.
 *
 * @param frozen     arguments without a gradient
 * @param trainable  f32 arguments with a gradient
 */
export function traceDifferentiable(
  library: FunctionLibrary,
  name: string,
  frozen: Arguments,
  trainable: Arguments,
  body: (frozen: Tensors, trainable: Tensors) => Tensor,
): Differentiable {
  const recorder = new Recorder()
  const names = Object.keys(trainable)
  const traced = backend.recordInto(recorder, () =>
    tf.tidy(() => {
      const fixed = declare(recorder, frozen)
      const variables = Object.values(declare(recorder, trainable))
      let forward = { ref: '', shape: [] as number[], nodes: 0 }
      const step = (...values: Tensor[]) => {
        const y = body(fixed, Object.fromEntries(names.map((key, i) => [key, values[i] as Tensor])))
        forward = { ref: backend.ref(y), shape: y.shape, nodes: recorder.nodes.length }
        return y
      }
      const shape = shapeOf(frozen, trainable, body)
      recorder.argument('dy', DataType.float32)
      const gradients = tf.grads(step)(variables, backend.tensor('dy', shape))
      return {
        forward,
        gradients: gradients.map((g, i) => ({ name: `d_${names[i]}`, ref: backend.ref(g), type: DataType.float32 })),
      }
    }),
  )
  const { forward, gradients } = traced
  const kept = residualsOf(recorder, forward.nodes, gradients, Object.keys(frozen))
  const value = { name: 'y', ref: forward.ref, type: DataType.float32 }
  const inputs = signatureOf({ ...frozen, ...trainable })
  const extra = kept.map((ref, i) => ({ name: `residual_${i}`, ref, type: recorder.typeOf(ref) }))
  const renamed = new Map(extra.map((r) => [r.ref, r.name]))
  const backwardInputs = [...inputs, ['dy', DataType.float32] as const, ...extra.map((r) => [r.name, r.type] as const)]
  library.write(`${name}/value`, inputs, [value], recorder)
  library.write(`${name}/forward`, inputs, [value, ...extra], recorder)
  library.write(`${name}/backward`, backwardInputs, gradients, recorder, { renamed })

  const inputTypes = inputs.map(([, type]) => type)
  return {
    shape: forward.shape,
    residuals: extra.map((r) => ({ type: r.type, shape: recorder.shapes.get(r.ref) ?? null })),
    value: (args) => call(`${name}/value`, args, inputTypes, [DataType.float32])[0] as Ref,
    forward: (args) => call(`${name}/forward`, args, inputTypes, [DataType.float32, ...extra.map((r) => r.type)]),
    backward: (args, dy, residuals) =>
      call(
        `${name}/backward`,
        [...args, dy, ...residuals],
        backwardInputs.map(([, type]) => type),
        gradients.map((g) => g.type),
      ),
  }
}

/**
 * A function for tfjs code that is traced once, with its gradient, and called many times (`traceDifferentiable`).
 *
 * @returns the function: `differentiate` false calls a variant that keeps no residuals
 */
export function defineDifferentiable(
  library: FunctionLibrary,
  name: string,
  frozen: Arguments,
  trainable: Arguments,
  body: (frozen: Tensors, trainable: Tensors) => Tensor,
): (frozen: Tensors, trainable: Tensors, differentiate: boolean) => Tensor {
  const traced = traceDifferentiable(library, name, frozen, trainable, body)
  const names = Object.keys(trainable)
  return (fixed, variables, differentiate) => {
    const args = [...actualRefs(frozen, fixed), ...actualRefs(trainable, variables)]
    if (!differentiate) return backend.tensor(traced.value(args), traced.shape)
    const operation = tf.customGrad(() => {
      const [y, ...kept] = traced.forward(args) as [Ref, ...Ref[]]
      const gradFunc = (dy: Tensor | Tensor[]) => {
        const refs = traced.backward(args, backend.ref(dy as Tensor), kept)
        return names.map((key, i) => backend.tensor(refs[i] as Ref, (trainable[key] as ArgumentSpec).shape))
      }
      return { value: backend.tensor(y, traced.shape), gradFunc }
    })
    return operation(...names.map((key) => variables[key] as Tensor))
  }
}

/** Traces `body` aside, only to learn the shape of its result. */
function shapeOf(frozen: Arguments, trainable: Arguments, body: (f: Tensors, t: Tensors) => Tensor): number[] {
  const aside = new Recorder()
  return backend.recordInto(aside, () => body(declare(aside, frozen), declare(aside, trainable)).shape)
}

/** References of the forward part (the first `boundary` nodes) that the backward part uses. */
function residualsOf(
  recorder: Recorder,
  boundary: number,
  gradients: readonly Output[],
  frozen: readonly string[],
): Ref[] {
  const order = new Map(recorder.nodes.map((node, index) => [node.name, index]))
  const isForward = (ref: Ref) => (order.get(ownerOf(ref)) ?? Number.POSITIVE_INFINITY) < boundary
  // what depends on no argument but frozen ones and constants is cheaper to compute again than to keep
  const varies = new Map<string, boolean>()
  const depends = (ref: Ref): boolean => {
    const owner = ownerOf(ref)
    if (recorder.arguments.has(owner)) return !frozen.includes(owner)
    const known = varies.get(owner)
    if (known !== undefined) return known
    const result = recorder.find(owner)?.inputs.some(depends) ?? false
    varies.set(owner, result)
    return result
  }
  const residuals = new Set<Ref>()
  const use = (ref: Ref) => {
    if (isForward(ref) && depends(ref)) residuals.add(ref)
  }
  const roots = gradients.map((g) => g.ref)
  const needed = recorder.reachable(roots)
  for (const node of recorder.nodes.slice(boundary)) if (needed.has(node.name)) node.inputs.forEach(use)
  roots.forEach(use)
  return [...residuals]
}
