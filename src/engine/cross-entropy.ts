import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { defineCompiled } from './compiled.js'
import { type Conditional, defineConditional } from './conditional.js'
import type { FunctionLibrary } from './functions.js'
import { sparseCrossEntropy } from './ops.js'
import type { Ref } from './recorder.js'
import { tf, usesGpu } from './tensorflow.js'
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
): Conditional {
  const specs = {
    hidden: { shape: [K, D], dtype: 'float32' },
    weight: { shape: [V, D], dtype },
    targets: { shape: [K], dtype: 'int32' },
  } as const
  const crossEntropy = usesGpu() ? defineCompiledCrossEntropy(library, name, K, V) : sparseCrossEntropy
  return defineConditional(library, name, specs, {
    matmul: dtype === 'bfloat16' ? 'bf16' : 'f32',
    work: ({ hidden, weight, targets }) => {
      const logits_KV = tf.matMul(hidden, weight, false, true)
      const [nll_K, gradient_KV] = crossEntropy(logits_KV, targets)
      const logps = tf.neg(nll_K)
      return differentiate ? { logps, slope: tf.neg(tf.matMul(gradient_KV, weight)) } : { logps }
    },
    idle: () => (differentiate ? { logps: tf.zeros([K]), slope: tf.zeros([K, D]) } : { logps: tf.zeros([K]) }),
  })
}

/** TensorFlow's own kernel for a GPU adds in any order, and so is refused where the same bits are asked for: XLA's does not. */
function defineCompiledCrossEntropy(library: FunctionLibrary, name: string, K: number, V: number) {
  const specs = { logits: { shape: [K, V], dtype: 'float32' }, targets: { shape: [K], dtype: 'int32' } } as const
  const outputs = { nll: 'float32', gradient: 'float32' } as const
  const compiled = defineCompiled(library, `${name}/cross_entropy`, specs, outputs, ({ logits, targets }) => {
    const [nll, gradient] = sparseCrossEntropy(logits as Tensor, targets as Tensor)
    return { nll, gradient }
  })
  return (logits: Tensor, targets: Tensor): [loss: Tensor, gradient: Tensor] => {
    const { nll, gradient } = compiled({ logits, targets })
    return [nll, gradient]
  }
}
