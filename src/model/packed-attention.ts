import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { type Arguments, type FunctionLibrary, indices, type Tensors, tf } from '../engine/index.js'
import { type AttentionShape, defineCausalAttention, MASKED } from './attention.js'
import { defineBlockAttention } from './block-attention.js'
import { queryBands } from './query-bands.js'

/** The slots of a packed batch, as the host lays them out; int32. */
export interface SlotLayout {
  /** [B·T] up to which slot of its row a slot is seen, by itself and by those after it and before this one */
  readonly slotEnds: Tensor
  /** `BlockKeys`, if the batch is one row. */
  readonly keySlots?: Tensor
  readonly keyCounts?: Tensor
  readonly keyCapacities?: Tensor
}

/** Causal attention over the rows of a packed batch. */
export interface PackedAttention {
  /** What it needs to know of a batch, the same for all layers. */
  readonly shared: Arguments
  sharedOf(slots: SlotLayout): Tensors
  /** @returns [B, H, T, E] */
  attend(q_BHTE: Tensor, k_BGTE: Tensor, v_BGTE: Tensor, shared: Tensors): Tensor
}

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
