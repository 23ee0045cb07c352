import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { defineConditional } from './conditional.js'
import type { LinearHeadSpec } from './cross-entropy.js'
import type { FunctionLibrary } from './functions.js'
import type { Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend } from './tracing-backend.js'

/**
 * KL(p ‖ q) = Σ_v p(v) (log p(v) − log q(v)) of each row, where p and q are the distributions over a large vocabulary
 * that one linear head gives for two hidden states; in chunks of rows, as `LinearHead`. M rows, D width, V classes.
 */
export type DivergenceHead = (hidden_MD: Tensor, other_MD: Tensor, weight_VD: Tensor, count: Tensor) => Tensor

/** @returns a function to KL[M] in nats; chunks at and after `count` give 0 */
export function defineDivergenceHead(library: FunctionLibrary, name: string, spec: LinearHeadSpec): DivergenceHead {
  const { rows: M, chunk: K, width: D, classes: V, dtype } = spec
  const specs = {
    hidden: { shape: [K, D], dtype: 'float32' },
    other: { shape: [K, D], dtype: 'float32' },
    weight: { shape: [V, D], dtype },
  } as const
  const chunkOf = defineConditional(library, name, specs, {
    matmul: dtype === 'bfloat16' ? 'bf16' : 'f32',
    work: ({ hidden, other, weight }) => {
      const logp_KV = logSoftmax(tf.matMul(hidden, weight, false, true))
      const logq_KV = logSoftmax(tf.matMul(other, weight, false, true))
      return { kl: tf.sum(tf.mul(tf.exp(logp_KV), tf.sub(logp_KV, logq_KV)), 1) }
    },
    idle: () => ({ kl: tf.zeros([K]) }),
  })
  return (hidden_MD, other_MD, weight_VD, count) => {
    const weight = dtype === 'bfloat16' ? backend.refBfloat16(weight_VD) : backend.ref(weight_VD)
    const parts: Tensor[] = []
    for (let start = 0; start < M; start += K) {
      const rows = (states_MD: Tensor) => backend.ref(tf.slice(states_MD, [start, 0], [K, D]))
      const active = backend.ref(tf.greater(count, tf.scalar(start, 'int32')))
      const [kl] = chunkOf(active, [rows(hidden_MD), rows(other_MD), weight])
      parts.push(backend.tensor(kl as Ref, [K]))
    }
    return parts.length === 1 ? (parts[0] as Tensor) : tf.concat(parts)
  }
}

function logSoftmax(logits_KV: Tensor): Tensor {
  const shifted_KV = tf.sub(logits_KV, tf.max(logits_KV, 1, true))
  return tf.sub(shifted_KV, tf.log(tf.sum(tf.exp(shifted_KV), 1, true)))
}
