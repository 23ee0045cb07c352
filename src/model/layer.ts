/**
 * One decoder layer, in tfjs operations.
 *
 * Legend of the shape suffixes: N tokens of a packed batch; S slots, in B rows of T, that the attention runs on; D width,
 * H query heads, G key-value heads, E channels of a head, F width of the MLP, I and O input and output width of a
 * linear layer, r rank of the adapter.
 */
import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { type Tensors, tf, updatedProduct, withGradient } from '../engine/index.js'
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
  readonly operations: LayerOperations
}

/** What a layer computes on each position by itself, between the products. */
export interface LayerOperations {
  /** RMSNorm of [N, D]. */
  norm(x_ND: Tensor, gain_D: Tensor): Tensor
  /** silu(gate) · up of both side by side, [N, 2F]. */
  swiglu(gateUp_N2F: Tensor): Tensor
  /**
   * Queries and keys side by side, [N, (H+G)·E]: normalised, if the architecture does, rotated to their positions,
   * and the queries divided by √E.
   *
   * @param cos_N1E  cosine of each position's angles, [N, 1, E/2]
   * @param gains    [H+G, E], if the architecture normalises them
   */
  rotated(qk_NO: Tensor, cos_N1E: Tensor, sin_N1E: Tensor, gains: Tensor | null): Tensor
}

/** The operations as they are written. */
export const plainOperations = (architecture: Architecture): LayerOperations => ({
  norm: (x, gain) => rmsNorm(x, gain, architecture.rmsNormEps),
  swiglu,
  rotated: (qk, cos, sin, gains) => rotated(qk, cos, sin, gains, architecture),
})

/** Linear layers side by side: x W^T + b, and s (x A^T) B^T if they have an adapter. */
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

/** `LayerOperations.rotated`: the halves (a, b) of a head's channels become (a cos − b sin, b cos + a sin). */
export function rotated(
  qk_NO: Tensor,
  cos_N1E: Tensor,
  sin_N1E: Tensor,
  gains: Tensor | null,
  { heads: H, kvHeads: G, headDim: E, rmsNormEps: eps }: Architecture,
): Tensor {
  const N = qk_NO.shape[0] as number
  const heads = tf.reshape(qk_NO, [N, H + G, E])
  const normed = gains === null ? heads : rmsNorm(heads, gains, eps)
  const halves = tf.reshape(normed, [N, H + G, 2, E / 2])
  const angle = (table: Tensor) => tf.reshape(table, [N, 1, 1, E / 2])
  const signs = tf.tensor(Float32Array.of(-1, 1), [1, 1, 2, 1])
  const turned = tf.mul(tf.mul(tf.reverse(halves, 2), signs), angle(sin_N1E))
  const scales = tf.tensor(
    Float32Array.from({ length: H + G }, (_, head) => (head < H ? E ** -0.5 : 1)),
    [H + G, 1, 1],
  )
  return tf.reshape(tf.mul(tf.add(tf.mul(halves, angle(cos_N1E)), turned), scales), [N, (H + G) * E])
}

/** What normalises queries and keys, [H+G, E]; null if the architecture does not. */
export function headGains({ architecture: { heads: H, kvHeads: G }, weights }: Layer): Tensor | null {
  const [q, k] = [weights.q_norm, weights.k_norm]
  return q && k ? tf.concat([tf.tile(tf.expandDims(q, 0), [H, 1]), tf.tile(tf.expandDims(k, 0), [G, 1])], 0) : null
}

/** `LayerOperations.swiglu` */
export function swiglu(gateUp_N2F: Tensor): Tensor {
  const [gate_NF, up_NF] = tf.split(gateUp_N2F, 2, 1) as [Tensor, Tensor]
  return tf.mul(tf.mul(gate_NF, tf.sigmoid(gate_NF)), up_NF)
}

/** What follows the attention: its output layer and the MLP, each added to what came in. */
export function afterAttention(x_ND: Tensor, mixed_NO: Tensor, layer: Layer): Tensor {
  const { operations, weights } = layer
  const attended_ND = tf.add(x_ND, linear(mixed_NO, 'o', layer))
  const normed_ND = operations.norm(attended_ND, weights.post_attention_norm as Tensor)
  return tf.add(attended_ND, linear(operations.swiglu(linear(normed_ND, 'gate_up', layer)), 'down', layer))
}

/** Rows of slots that the attention of a packed batch runs on, the same for all layers. */
export interface AttentionSlots {
  readonly rows: number
  readonly length: number
  /** [N, 1, E/2]: cosine and sine of the angles at each token's position. */
  readonly cos_N1E: Tensor
  readonly sin_N1E: Tensor
  /** int32[S]: the token in each slot, and int32[N]: the slot of each token; null if they stand in the same order. */
  readonly places: { readonly slotTokens_S: Tensor; readonly tokenSlots_N: Tensor } | null
  /** @returns [B, H, T, E] */
  attention(q_BHTE: Tensor, k_BGTE: Tensor, v_BGTE: Tensor): Tensor
}

/**
 * A layer over N packed tokens. Everything but the attention works on each token by itself; for the attention the
 * tokens move to slots, whose rows hold one or more whole sequences.
 */
export function decoderLayer(x_ND: Tensor, layer: Layer, slots: AttentionSlots): Tensor {
  const { heads: H, kvHeads: G, headDim: E } = layer.architecture
  const { rows: B, length: T, cos_N1E, sin_N1E, places } = slots
  const { operations, weights } = layer
  const normed_ND = operations.norm(x_ND, weights.input_norm as Tensor)
  const qkv_NO = linear(normed_ND, 'qkv', layer)
  const [qk_NO, v_NO] = tf.split(qkv_NO, [(H + G) * E, G * E], 1) as [Tensor, Tensor]
  const rotated_NO = operations.rotated(qk_NO, cos_N1E, sin_N1E, headGains(layer))
  const toSlots = (x: Tensor) => (places === null ? x : relocated(x, places.slotTokens_S, places.tokenSlots_N))
  const toTokens = (x: Tensor) => (places === null ? x : relocated(x, places.tokenSlots_N, places.slotTokens_S))
  const inSlots = (heads_NO: Tensor, count: number) =>
    tf.transpose(tf.reshape(toSlots(heads_NO), [B, T, count, E]), [0, 2, 1, 3])
  const [q_BHTE, k_BGTE] = tf.split(inSlots(rotated_NO, H + G), [H, G], 1) as [Tensor, Tensor]
  const mixed_BHTE = slots.attention(q_BHTE, k_BGTE, inSlots(v_NO, G))
  const mixed_SO = tf.reshape(tf.transpose(mixed_BHTE, [0, 2, 1, 3]), [B * T, H * E])
  return afterAttention(x_ND, toTokens(mixed_SO), layer)
}

/**
 * Rows of x by `index`; the gradient goes the way back by `inverse`. Every token has its own slot. Slots beyond all
 * tokens hold a copy of some row and get its gradient, which is discarded: they attend only to themselves and are
 * attended to by no other slot.
 */
function relocated(x: Tensor, index: Tensor, inverse: Tensor): Tensor {
  return withGradient(
    [x],
    ([rows]) => ({ value: tf.gather(rows as Tensor, index), kept: [] }),
    (dy) => [tf.gather(dy, inverse)],
  )
}
