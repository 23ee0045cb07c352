/**
 * One decoder layer, in tfjs operations.
 *
 * Legend of the shape suffixes: N positions of a block, packed without gaps; B×T the grid of the attention; D width,
 * H query heads, G key-value heads, E channels of a head, F width of the MLP, I and O input and output width of a
 * linear layer, r rank of the adapter.
 */
import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { type Tensors, tf, updatedProduct } from '../engine/index.js'
import type { Architecture } from './architecture.js'
import { FUSED, type FusedLinear, type LinearLayer, linearShape } from './parameters.js'

/** The adapter's part in one layer: matrices by `q_proj.A`, `q_proj.B`, …; absent for the bare base. */
export interface LayerAdapter {
  readonly matrices: Tensors
  readonly scale: number
}

/** The frozen weights of one layer, by the kinds of `modelVariables`, and the adapter on them. */
export interface Layer {
  readonly architecture: Architecture
  readonly weights: Tensors
  readonly adapter: LayerAdapter | null
}

/** Linear layers side by side: x W^T + b, and s (x A^T) B^T where they have an adapter. */
export function linear(x_NI: Tensor, name: FusedLinear, { architecture, weights, adapter }: Layer): Tensor {
  const weight = weights[`${name}_weight`] as Tensor
  const bias = weights[`${name}_bias`]
  const update = adapter === null ? null : fusedAdapter(FUSED[name], architecture, adapter.matrices)
  const product =
    adapter === null || update === null
      ? tf.matMul(x_NI, weight, false, true)
      : // the scale goes on the narrow side
        updatedProduct(x_NI, tf.mul(tf.matMul(x_NI, update.a, false, true), adapter.scale), weight, update.b)
  return bias ? tf.add(product, bias) : product
}

/** The adapters of linear layers side by side as one: A below each other [Σr, I], B along a diagonal [ΣO, Σr]. */
function fusedAdapter(
  layers: readonly LinearLayer[],
  architecture: Architecture,
  matrices: Tensors,
): { a: Tensor; b: Tensor } | null {
  const adapted = layers.filter((layer) => matrices[`${layer}.A`] !== undefined)
  const matrix = (layer: LinearLayer, which: 'A' | 'B') => matrices[`${layer}.${which}`] as Tensor
  if (adapted.length === 0) return null
  const ranks = adapted.map((layer) => matrix(layer, 'A').shape[0] as number)
  const total = ranks.reduce((sum, r) => sum + r, 0)
  const rows = layers.map((layer) => {
    const at = adapted.indexOf(layer)
    if (at < 0) return tf.zeros([linearShape(architecture, layer)[0], total])
    const before = ranks.slice(0, at).reduce((sum, r) => sum + r, 0)
    const after = total - before - (ranks[at] as number)
    const own = matrix(layer, 'B')
    return before + after === 0
      ? own
      : tf.pad2d(own as Parameters<typeof tf.pad2d>[0], [
          [0, 0],
          [before, after],
        ])
  })
  const one = (tensors: Tensor[], axis: number) =>
    tensors.length === 1 ? (tensors[0] as Tensor) : tf.concat(tensors, axis)
  return {
    a: one(
      adapted.map((layer) => matrix(layer, 'A')),
      0,
    ),
    b: one(rows, 0),
  }
}

/** x / rms(x) · g over the last axis, in f32. */
export function rmsNorm(x: Tensor, gain: Tensor, eps: number): Tensor {
  return tf.mul(tf.mul(x, tf.rsqrt(tf.add(tf.mean(tf.square(x), -1, true), eps))), gain)
}

/** Rotates the halves of each head's channels: (a, b) → (a cos − b sin, b cos + a sin). */
export function rotate(x: Tensor, cos: Tensor, sin: Tensor): Tensor {
  const [a, b] = tf.split(x, 2, -1) as [Tensor, Tensor]
  return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))], -1)
}

/**
 * Queries, keys and values of positions, rotated to where they stand.
 *
 * @param cos_N1E  cosine of each position's angles, [N, 1, E/2]
 * @returns [N, H, E] and two of [N, G, E]
 */
export function queriesKeysValues(x_ND: Tensor, layer: Layer, cos_N1E: Tensor, sin_N1E: Tensor) {
  const { heads: H, kvHeads: G, headDim: E, rmsNormEps: eps } = layer.architecture
  const N = x_ND.shape[0] as number
  const split = tf.split(linear(x_ND, 'qkv', layer), [H * E, G * E, G * E], 1) as Tensor[]
  const [q, k, v] = split.map((part, i) => tf.reshape(part, [N, i === 0 ? H : G, E])) as [Tensor, Tensor, Tensor]
  const norm = (heads: Tensor, gain: Tensor | undefined) => (gain ? rmsNorm(heads, gain, eps) : heads)
  return {
    q_NHE: rotate(norm(q, layer.weights.q_norm), cos_N1E, sin_N1E),
    k_NGE: rotate(norm(k, layer.weights.k_norm), cos_N1E, sin_N1E),
    v_NGE: v,
  }
}

/** Added to the scores of positions that must not be seen; exp of it is 0 in f32. */
export const MASKED = -1e9

/**
 * Attention of [B, H, T, E] queries over [B, G, S, E] keys and values.
 *
 * @param mask  added to the scores, broadcast over [B, G, H/G, T, S]
 * @returns [B, H, T, E]
 */
export function attend(q_BHTE: Tensor, k_BGSE: Tensor, v_BGSE: Tensor, mask: Tensor): Tensor {
  const [B, H, T, E] = q_BHTE.shape as [number, number, number, number]
  const [, G, S] = k_BGSE.shape as [number, number, number]
  // the query heads of one key-value head are folded into its rows: no copy of keys and values per query head
  const q_BGME = tf.reshape(tf.mul(q_BHTE, E ** -0.5), [B, G, (H / G) * T, E])
  const scores = tf.reshape(tf.matMul(q_BGME, k_BGSE, false, true), [B, G, H / G, T, S])
  const shares_BGMS = tf.reshape(tf.softmax(tf.add(scores, mask)), [B, G, (H / G) * T, S])
  return tf.reshape(tf.matMul(shares_BGMS, v_BGSE), [B, H, T, E])
}

/** SwiGLU: down(silu(gate x) · up x). */
export function mlp(x_ND: Tensor, layer: Layer): Tensor {
  const [gate_NF, up_NF] = tf.split(linear(x_ND, 'gate_up', layer), 2, 1) as [Tensor, Tensor]
  return linear(tf.mul(tf.mul(gate_NF, tf.sigmoid(gate_NF)), up_NF), 'down', layer)
}

/** What follows the attention: its output layer and the MLP, each added to what came in. */
export function afterAttention(x_ND: Tensor, mixed_NO: Tensor, layer: Layer): Tensor {
  const attended_ND = tf.add(x_ND, linear(mixed_NO, 'o', layer))
  const norm = layer.weights.post_attention_norm as Tensor
  return tf.add(attended_ND, mlp(rmsNorm(attended_ND, norm, layer.architecture.rmsNormEps), layer))
}

/** The grid that the attention of packed positions runs on, for all layers alike. */
export interface AttentionGrid {
  readonly rows: number
  readonly length: number
  /** [N, 1, E/2]: cosine and sine of each position's angles. */
  readonly cos_N1E: Tensor
  readonly sin_N1E: Tensor
  /** int32[B·T]: the position in each cell. */
  readonly positions_C: Tensor
  /** int32[N]: the cell of each position. */
  readonly cells_N: Tensor
  /** [B, 1, 1, T, T]: 0 where a cell may look, MASKED elsewhere. */
  readonly mask: Tensor
}

/**
 * A layer over N packed positions. Everything but the attention works on each position by itself; for the attention
 * the positions are laid out on a grid whose rows hold one or more whole sequences.
 */
export function decoderLayer(x_ND: Tensor, layer: Layer, grid: AttentionGrid): Tensor {
  const { heads: H, kvHeads: G, headDim: E, rmsNormEps } = layer.architecture
  const { rows: B, length: T, cos_N1E, sin_N1E } = grid
  const N = x_ND.shape[0] as number
  const normed_ND = rmsNorm(x_ND, layer.weights.input_norm as Tensor, rmsNormEps)
  const { q_NHE, k_NGE, v_NGE } = queriesKeysValues(normed_ND, layer, cos_N1E, sin_N1E)
  const onGrid = (heads: Tensor, count: number) =>
    tf.transpose(
      tf.reshape(tf.gather(tf.reshape(heads, [N, count * E]), grid.positions_C), [B, T, count, E]),
      [0, 2, 1, 3],
    )
  const mixed_BHTE = attend(onGrid(q_NHE, H), onGrid(k_NGE, G), onGrid(v_NGE, G), grid.mask)
  const mixed_CO = tf.reshape(tf.transpose(mixed_BHTE, [0, 2, 1, 3]), [B * T, H * E])
  return afterAttention(x_ND, tf.gather(mixed_CO, grid.cells_N), layer)
}
