import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { type FunctionLibrary, indices, tf } from '../engine/index.js'
import { type AttentionShape, defineCausalAttention, MASKED, type PackedAttention } from './attention.js'
import { defineBlockAttention } from './block-attention.js'
import { queryBands } from './query-bands.js'

/** One row may hold trees of sequences, several rows hold whole sequences. */
export const definePackedAttention = (
  library: FunctionLibrary,
  name: string,
  shape: AttentionShape,
): PackedAttention =>
  shape.rows === 1 ? defineBlockAttention(library, name, shape) : defineBandAttention(library, name, shape)

function defineBandAttention(library: FunctionLibrary, name: string, shape: AttentionShape): PackedAttention {
  const { rows: B, length: T } = shape
  const attention = defineCausalAttention(library, name, shape)
  const masks = queryBands(T).map((band, i) => ({ ...band, name: `mask_${i}` }))
  return {
    shared: Object.fromEntries(
      masks.map(({ name: mask, start, end }) => [mask, { shape: [B, 1, 1, end - start, end], dtype: 'float32' }]),
    ),
    sharedOf: ({ slotEnds }) => {
      const columns = indices(T)
      // what neither comes before a query nor is continued by it
      const others = tf.greaterEqual(tf.reshape(columns, [T, 1]), tf.reshape(slotEnds, [B, 1, 1, 1, T]))
      const future_TT = tf.greater(tf.reshape(columns, [1, T]), tf.reshape(columns, [T, 1]))
      const hidden = tf.maximum(tf.cast(others, 'float32'), tf.cast(future_TT, 'float32'))
      return Object.fromEntries(
        masks.map(({ name: mask, start, end }) => [
          mask,
          tf.mul(tf.slice(hidden, [0, 0, 0, start, 0], [B, 1, 1, end - start, end]), MASKED),
        ]),
      )
    },
    attend: (q, k, v, shared) =>
      attention(
        q,
        k,
        v,
        masks.map(({ name: mask }) => shared[mask] as Tensor),
      ),
  }
}
