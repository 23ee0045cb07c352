import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type ArgumentSpec,
  type Arguments,
  actualRefs,
  call,
  declare,
  type FunctionLibrary,
  type Output,
  signatureOf,
  type Tensors,
} from './functions.js'
import { DataType } from './proto.js'
import { ownerOf, Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend } from './tracing-backend.js'

/** What is kept of the forward part for the backward part. */
export interface Residual {
  readonly type: DataType
  /** null if it is not known while tracing. */
  readonly shape: readonly number[] | null
}

export interface DifferentiableSpec {
  /** Arguments without a gradient. */
  readonly frozen: Arguments
  /** f32 arguments with a gradient. */
  readonly trainable: Arguments
}

/** Its value, from its frozen and its trainable arguments. */
export type DifferentiableBody = (frozen: Tensors, trainable: Tensors) => Tensor

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
 */
export function traceDifferentiable(
  library: FunctionLibrary,
  name: string,
  { frozen, trainable }: DifferentiableSpec,
  body: DifferentiableBody,
): Differentiable {
  const recorder = new Recorder()
  const { forward, gradients } = traceGradients(recorder, { frozen, trainable }, body)
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

/** Traces the forward part, `forward.nodes` nodes long, and after it the gradients of the trainable arguments. */
function traceGradients(recorder: Recorder, { frozen, trainable }: DifferentiableSpec, body: DifferentiableBody) {
  const names = Object.keys(trainable)
  return backend.recordInto(recorder, () =>
    tf.tidy(() => {
      const fixed = declare(recorder, frozen)
      const variables = Object.values(declare(recorder, trainable))
      let forward = { ref: '', shape: [] as number[], nodes: 0 }
      const value = (...values: Tensor[]) => {
        const y = body(fixed, Object.fromEntries(names.map((key, i) => [key, values[i] as Tensor])))
        forward = { ref: backend.ref(y), shape: y.shape, nodes: recorder.nodes.length }
        return y
      }
      const shape = shapeOf({ frozen, trainable }, body)
      recorder.argument('dy', DataType.float32)
      const gradients = tf
        .grads(value)(variables, backend.tensor('dy', shape))
        .map((gradient, i) => ({
          name: `d_${names[i]}`,
          ref: backend.ref(gradient),
          type: DataType.float32,
        }))
      return { forward, gradients }
    }),
  )
}

/**
 * A function for tfjs code that is traced once, with its gradient, and called many times (`traceDifferentiable`).
 *
 * @returns the function: `differentiate` false calls a variant that keeps no residuals
 */
export function defineDifferentiable(
  library: FunctionLibrary,
  name: string,
  { frozen, trainable }: DifferentiableSpec,
  body: DifferentiableBody,
): (frozen: Tensors, trainable: Tensors, differentiate: boolean) => Tensor {
  const traced = traceDifferentiable(library, name, { frozen, trainable }, body)
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
function shapeOf({ frozen, trainable }: DifferentiableSpec, body: DifferentiableBody): number[] {
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
