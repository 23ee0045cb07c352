import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type Arguments,
  defineCompiled,
  type FunctionLibrary,
  type Tensors,
  tf,
  withGradient,
} from '../engine/index.js'
import { queryBands } from './query-bands.js'

/** Added to the scores of positions that must not be seen; exp of it is 0 in f32. */
export const MASKED = -1e9

/**
 * Attention of [B, H, T, E] queries, already scaled, over [B, G, S, E] keys and values.
 *
 * @param mask  added to the scores, broadcast over [B, G, H/G, T, S]
 * @returns [B, H, T, E]
 */
export function attend(q_BHTE: Tensor, k_BGSE: Tensor, v_BGSE: Tensor, mask: Tensor): Tensor {
  const [B, H, T, E] = q_BHTE.shape as [number, number, number, number]
  const [, G, S] = k_BGSE.shape as [number, number, number]
  // the query heads of one key-value head are folded into its rows: no copy of keys and values per query head
  const q_BGME = tf.reshape(q_BHTE, [B, G, (H / G) * T, E])
  const scores = tf.reshape(tf.matMul(q_BGME, k_BGSE, false, true), [B, G, H / G, T, S])
  const shares_BGMS = tf.reshape(tf.softmax(tf.add(scores, mask)), [B, G, (H / G) * T, S])
  return tf.reshape(tf.matMul(shares_BGMS, v_BGSE), [B, H, T, E])
}

export interface AttentionShape {
  readonly rows: number
  readonly length: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Type of the matrix products. */
  readonly product: 'float32' | 'bfloat16'
  /** Of bands: the backward pass computes the shares again, so that memory grows with the tokens and not with the pairs. */
  readonly recompute?: boolean
}

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

/**
 * @param masks  of each band, [B, 1, 1, end − start, end]: 0 where a query may look, MASKED elsewhere
 * @returns [B, H, T, E]
 */
export type CausalAttention = (q_BHTE: Tensor, k_BGTE: Tensor, v_BGTE: Tensor, masks: readonly Tensor[]) => Tensor

/**
 * Causal attention in bands of queries, with its gradient written out. The row sums in the gradient of the softmax are
 * taken over the E channels of the output instead of the T shares (FlashAttention, arXiv 2205.14135, section B.2):
 * Σ_s p_s dp_s = Σ_e do_e o_e.
 */
export function defineCausalAttention(library: FunctionLibrary, name: string, shape: AttentionShape): CausalAttention {
  const { rows: B, length: T, heads: H, kvHeads: G, headDim: E, product, recompute = false } = shape
  const R = H / G
  const bands = queryBands(T).map(({ start, end }, i) => {
    const rows = end - start
    const grid = [B, G, R, rows, end] as const
    const [scores, output] = [
      { shape: [B, G, R * rows, end], dtype: product },
      { shape: [B, G, R * rows, E], dtype: product },
    ] as const
    const mask = { shape: [B, 1, 1, rows, end], dtype: 'float32' } as const
    const masked = defineCompiled(library, `${name}/masked_${i}`, { scores, mask }, { y: 'float32' }, (args) => ({
      y: tf.add(tf.reshape(args.scores as Tensor, [...grid]), args.mask as Tensor),
    }))
    const backward = defineCompiled(
      library,
      `${name}/softmax_gradient_${i}`,
      { shares: scores, d_shares: scores, output, d_output: output },
      { d_scores: product },
      ({ shares, d_shares, output: o, d_output }) => {
        const sums = tf.sum(tf.mul(d_output as Tensor, o as Tensor), -1, true)
        return { d_scores: tf.mul(shares as Tensor, tf.sub(d_shares as Tensor, sums)) }
      },
    )
    return { start, end, rows, masked, backward }
  })
  const queriesOf = (x_BHTE: Tensor, start: number, rows: number) =>
    tf.reshape(bands.length === 1 ? x_BHTE : tf.slice(x_BHTE, [0, 0, start, 0], [B, H, rows, E]), [B, G, R * rows, E])
  const keysOf = (x_BGTE: Tensor, end: number) => (end === T ? x_BGTE : tf.slice(x_BGTE, [0, 0, 0, 0], [B, G, end, E]))
  const joined = (parts: Tensor[]) => (parts.length === 1 ? (parts[0] as Tensor) : tf.concat(parts, 2))

  /** Sums gradients of keys, each of the first `end` positions, into one over all T. */
  const total = (parts: readonly Tensor[]): Tensor =>
    joined(
      bands.map(({ start, rows }, i) => {
        const covering = parts.slice(i)
        const own = covering.map((part) =>
          part.shape[2] === rows ? part : tf.slice(part, [0, 0, start, 0], [B, G, rows, E]),
        )
        return own.length === 1 ? (own[0] as Tensor) : tf.addN(own)
      }),
    )

  return (q_BHTE, k_BGTE, v_BGTE, masks) => {
    const band = ([q, k, v]: readonly [Tensor, Tensor, Tensor], i: number) => {
      const { start, end, rows, masked } = bands[i] as (typeof bands)[number]
      const [q_BGME, k_BGSE, v_BGSE] = [queriesOf(q, start, rows), keysOf(k, end), keysOf(v, end)]
      const scores = tf.matMul(q_BGME, k_BGSE, false, true)
      const shares = tf.reshape(tf.softmax(masked({ scores, mask: masks[i] as Tensor }).y), scores.shape)
      return [q_BGME, k_BGSE, v_BGSE, shares] as const
    }
    const forward = (inputs: readonly Tensor[]) => {
      const parts = bands.map((_, i) => {
        const parted = band(inputs as readonly [Tensor, Tensor, Tensor], i)
        return [...parted, tf.matMul(parted[3], parted[2])] as const
      })
      const value = joined(
        parts.map(([, , , , output], i) => tf.reshape(output, [B, H, (bands[i] as { rows: number }).rows, E])),
      )
      return { value, kept: recompute ? [...inputs, value] : parts.flat() }
    }
    const gradients = (dy: Tensor, saved: readonly Tensor[]) => {
      const each = bands.map(({ start, rows, backward }, i) => {
        const [q_BGME, k_BGSE, v_BGSE, shares, output] = (
          recompute
            ? [...band(saved as never, i), queriesOf(saved[3] as Tensor, start, rows)]
            : saved.slice(5 * i, 5 * i + 5)
        ) as [Tensor, Tensor, Tensor, Tensor, Tensor]
        const d_output = queriesOf(dy, start, rows)
        const d_shares = tf.matMul(d_output, v_BGSE, false, true)
        const { d_scores } = backward({ shares, d_shares, output, d_output })
        return {
          q: tf.reshape(tf.matMul(d_scores, k_BGSE), [B, H, rows, E]),
          k: tf.matMul(d_scores, q_BGME, true),
          v: tf.matMul(shares, d_output, true),
        }
      })
      return [joined(each.map(({ q: d }) => d)), total(each.map(({ k: d }) => d)), total(each.map(({ v: d }) => d))]
    }
    return withGradient([q_BHTE, k_BGTE, v_BGTE], forward, gradients)
  }
}
