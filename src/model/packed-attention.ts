import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { type FunctionLibrary, indices, tf, usesGpu } from '../engine/index.js'
import { type AttentionShape, defineCausalAttention, MASKED, type PackedAttention } from './attention.js'
import { defineBlockAttention } from './block-attention.js'
import { queryBands } from './query-bands.js'

/**
 * Whether the attention runs in blocks with lists of keys: in one row, which may hold trees of sequences. Not on a GPU: the
 * host would wait for the choice of each block, in each layer, and then call a handful of kernels.
 */
export const runsInBlocks = ({ rows }: Pick<AttentionShape, 'rows'>): boolean => rows === 1 && !usesGpu()

/** One row may hold trees of sequences, several rows hold whole sequences. */
export const definePackedAttention = (
  library: FunctionLibrary,
  name: string,
  shape: AttentionShape,
): PackedAttention =>
  runsInBlocks(shape)
    ? defineBlockAttention(library, name, shape)
    : defineBandAttention(library, name, { ...shape, recompute: shape.rows === 1 })

/** In bands of queries, each of which sees the keys up to its end, under a mask that trees may have as well. */
export function defineBandAttention(library: FunctionLibrary, name: string, shape: AttentionShape): PackedAttention {
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
