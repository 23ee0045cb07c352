import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { call, declare, type FunctionLibrary, signatureOf } from './functions.js'
import { sparseCrossEntropy } from './ops.js'
import { attr, DataType } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend } from './tracing-backend.js'

/**
 * Log-probabilities of target classes under a linear head over a large vocabulary, in chunks of rows, so that memory
 * holds one chunk of logits whatever the number of rows. Chunks beyond `count` are not computed.
 *
 * The gradient with respect to a row is known up to its scale as soon as its logits are: d(log p)/dh =
 * (onehot − softmax) · W. The forward pass keeps that vector; the backward pass only scales it, and no logits are
 * kept or computed again.
 *
 * Legend: M rows, K rows of a chunk, D width, V classes.
 */
export type LinearHead = (
  hidden_MD: Tensor,
  weight_VD: Tensor,
  targets_M: Tensor,
  count: Tensor,
  differentiate: boolean,
) => Tensor

export interface LinearHeadSpec {
  readonly rows: number
  /** Rows of a chunk; divides `rows`. */
  readonly chunk: number
  readonly width: number
  readonly classes: number
  /** Type of the weights and of the products, as everywhere else in the model. */
  readonly dtype: 'float32' | 'bfloat16'
}

/** @returns a function to log p[M] of `targets_M` given `hidden_MD`; chunks at and after `count` give 0 */
export function defineLinearHead(library: FunctionLibrary, name: string, spec: LinearHeadSpec): LinearHead {
  const { rows: M, chunk: K, width: D } = spec
  if (M % K !== 0) throw new Error(`${M} rows are no multiple of the chunk of ${K}`)
  const chunks = {
    value: defineChunk(library, `${name}/value`, spec, false),
    gradient: defineChunk(library, `${name}/gradient`, spec, true),
  }

  /** Runs all chunks: log p[M] and, if asked for, their slopes [M, D]. */
  const run = (hidden_MD: Tensor, weight_VD: Tensor, targets_M: Tensor, count: Tensor, differentiate: boolean) => {
    const chunkOf = differentiate ? chunks.gradient : chunks.value
    const weight = spec.dtype === 'bfloat16' ? backend.refBfloat16(weight_VD) : backend.ref(weight_VD)
    const logps: Tensor[] = []
    const slopes: Tensor[] = []
    for (let start = 0; start < M; start += K) {
      const hidden = backend.ref(tf.slice(hidden_MD, [start, 0], [K, D]))
      const targets = backend.ref(tf.slice(targets_M, [start], [K]))
      const active = backend.ref(tf.greater(count, tf.scalar(start, 'int32')))
      const [logp, slope] = chunkOf(active, [hidden, weight, targets])
      logps.push(backend.tensor(logp as Ref, [K]))
      if (slope !== undefined) slopes.push(backend.tensor(slope, [K, D]))
    }
    return { logps: logps.length === 1 ? (logps[0] as Tensor) : tf.concat(logps), slopes }
  }

  return (hidden_MD, weight_VD, targets_M, count, differentiate) => {
    if (!differentiate) return run(hidden_MD, weight_VD, targets_M, count, false).logps
    const operation = tf.customGrad((hidden) => {
      const { logps, slopes } = run(hidden as Tensor, weight_VD, targets_M, count, true)
      const slope = slopes.length === 1 ? (slopes[0] as Tensor) : tf.concat(slopes)
      const kept = backend.ref(slope)
      const gradFunc = (dy: Tensor | Tensor[]) =>
        tf.mul(tf.reshape(dy as Tensor, [M, 1]), backend.tensor(kept, [M, D])) as Tensor
      return { value: logps, gradFunc }
    })
    return operation(hidden_MD)
  }
}

const float = DataType.float32

/**
 * Writes the functions of one chunk.
 *
 * @param differentiate  with the slopes d(log p)/dh
 * @returns its call, which computes nothing and gives zeros if `active` is false
 */
function defineChunk(
  library: FunctionLibrary,
  name: string,
  { chunk: K, width: D, classes: V, dtype }: LinearHeadSpec,
  differentiate: boolean,
): (active: Ref, args: readonly Ref[]) => Ref[] {
  const specs = {
    hidden: { shape: [K, D], dtype: 'float32' },
    weight: { shape: [V, D], dtype },
    targets: { shape: [K], dtype: 'int32' },
  } as const
  const inputs = signatureOf(specs)
  const types = inputs.map(([, type]) => type)
  const write = (suffix: string, body: (args: Record<keyof typeof specs, Tensor>) => Record<string, Tensor>) => {
    const recorder = new Recorder()
    const outputs = backend.withMatmul(dtype === 'bfloat16' ? 'bf16' : 'f32', () =>
      backend.recordInto(recorder, () =>
        tf.tidy(() => {
          const results = Object.entries(body(declare(recorder, specs) as Record<keyof typeof specs, Tensor>))
          return results.map(([key, tensor]) => ({ name: key, ref: backend.ref(tensor), type: float }))
        }),
      ),
    )
    library.write(`${name}${suffix}`, inputs, outputs, recorder)
    return outputs
  }
  const outputs = write('/chunk', ({ hidden, weight, targets }) => {
    const logits_KV = tf.matMul(hidden, weight, false, true)
    const [nll_K, gradient_KV] = sparseCrossEntropy(logits_KV, targets)
    const logps = tf.neg(nll_K)
    return differentiate ? { logps, slope: tf.neg(tf.matMul(gradient_KV, weight)) } : { logps }
  })
  const outputTypes = outputs.map(({ type }) => type)
  // a branch calls its work: TensorFlow puts oneDNN's products into called functions, not into branches
  const branch = new Recorder()
  for (const [key, type] of inputs) branch.argument(key, type)
  const names = inputs.map(([key]) => key)
  const results = backend.recordInto(branch, () => call(`${name}/chunk`, names, types, outputTypes))
  const named = outputs.map((output, i) => ({ ...output, ref: results[i] as Ref }))
  library.write(name, inputs, named, branch)
  write('/idle', () => {
    const logps = tf.zeros([K])
    return differentiate ? { logps, slope: tf.zeros([K, D]) } : { logps }
  })

  const attributes = {
    Tcond: attr.type(DataType.bool),
    Tin: attr.types(types),
    Tout: attr.types(outputTypes),
    then_branch: attr.func(name),
    else_branch: attr.func(`${name}/idle`),
  }
  return (active, args) => backend.recorder.node('StatelessIf', [active, ...args], attributes, outputTypes)
}
