/**
 * One decoder layer, in tfjs operations.
 *
 * Legend of the shape suffixes: B sequences, T positions, N = B·T, D width, H query heads, G key-value heads,
 * E channels of a head, F width of the MLP, r rank of the adapter.
 */
import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { indices, type Tensors, tf } from '../engine/index.js'
import type { Architecture } from './architecture.js'
import { type LinearLayer, linearPath } from './parameters.js'

/** The adapter's part in one layer: matrices by `q_proj.A`, `q_proj.B`, …; absent for the bare base. */
export interface LayerAdapter {
  readonly matrices: Tensors
  readonly scale: number
}

/** x W^T + b, and s (x A^T) B^T where the layer has an adapter. */
export function linear(x_NI: Tensor, name: LinearLayer, weights: Tensors, adapter: LayerAdapter | null): Tensor {
  const path = linearPath(name)
  let y_NO = tf.matMul(x_NI, weights[`${path}.weight`] as Tensor, false, true)
  const bias = weights[`${path}.bias`]
  if (bias) y_NO = tf.add(y_NO, bias)
  const a_rI = adapter?.matrices[`${name}.A`]
  const b_Or = adapter?.matrices[`${name}.B`]
  if (!adapter || !a_rI || !b_Or) return y_NO
  const update_NO = tf.matMul(tf.matMul(x_NI, a_rI, false, true), b_Or, false, true)
  return tf.add(y_NO, tf.mul(update_NO, adapter.scale))
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

/** SwiGLU: down(silu(gate x) · up x). */
export function mlp(x_ND: Tensor, weights: Tensors, adapter: LayerAdapter | null): Tensor {
  const gate_NF = linear(x_ND, 'gate_proj', weights, adapter)
  const silu_NF = tf.mul(gate_NF, tf.sigmoid(gate_NF))
  return linear(tf.mul(silu_NF, linear(x_ND, 'up_proj', weights, adapter)), 'down_proj', weights, adapter)
}

/** Splits [N, heads·E] into heads and, with Qwen3, normalises each. */
export function heads(x: Tensor, shape: number[], norm: Tensor | undefined, eps: number): Tensor {
  const split = tf.reshape(x, shape)
  return norm ? rmsNorm(split, norm, eps) : split
}

/** Added to the scores of positions that must not be seen; exp of it is 0 in f32. */
export const MASKED = -1e9

/**
 * A layer over B right-padded sequences of T positions. Causality alone keeps padding out: no real position looks to
 * its right.
 *
 * @param frequencies  of the rotary embedding, [E/2], radians per position
 */
export function decoderLayer(
  a: Architecture,
  size: { readonly rows: number; readonly length: number },
  frequencies: Float64Array,
): (x_ND: Tensor, weights: Tensors, adapter: LayerAdapter | null) => Tensor {
  const { rows: B, length: T } = size
  const { heads: H, kvHeads: G, headDim: E, rmsNormEps: eps } = a
  const angles = Float64Array.from(
    { length: T * (E / 2) },
    (_, i) => Math.floor(i / (E / 2)) * (frequencies[i % (E / 2)] as number),
  )

  const attention = (x_ND: Tensor, weights: Tensors, adapter: LayerAdapter | null): Tensor => {
    const cos_TE = tf.tensor(Float32Array.from(angles, Math.cos), [T, E / 2])
    const sin_TE = tf.tensor(Float32Array.from(angles, Math.sin), [T, E / 2])
    const project = (name: 'q_proj' | 'k_proj' | 'v_proj', count: number, norm?: Tensor) =>
      tf.transpose(heads(linear(x_ND, name, weights, adapter), [B, T, count, E], norm, eps), [0, 2, 1, 3])
    const q_BHTE = rotate(project('q_proj', H, weights['self_attn.q_norm.weight']), cos_TE, sin_TE)
    const k_BGTE = rotate(project('k_proj', G, weights['self_attn.k_norm.weight']), cos_TE, sin_TE)
    const v_BGTE = project('v_proj', G)

    const columns = tf.reshape(indices(T), [1, T])
    const future_TT = tf.cast(tf.greater(columns, tf.reshape(indices(T), [T, 1])), 'float32')
    // the query heads of one key-value head are folded into its rows: no copy of keys and values per query head
    const q_BGME = tf.reshape(tf.mul(q_BHTE, E ** -0.5), [B, G, (H / G) * T, E])
    const scores = tf.reshape(tf.matMul(q_BGME, k_BGTE, false, true), [B, G, H / G, T, T])
    const weights_BGMT = tf.reshape(tf.softmax(tf.add(scores, tf.mul(future_TT, MASKED))), [B, G, (H / G) * T, T])
    const mixed_BHTE = tf.reshape(tf.matMul(weights_BGMT, v_BGTE), [B, H, T, E])
    return linear(tf.reshape(tf.transpose(mixed_BHTE, [0, 2, 1, 3]), [B * T, H * E]), 'o_proj', weights, adapter)
  }

  return (x_ND, weights, adapter) => {
    const norm1 = rmsNorm(x_ND, weights['input_layernorm.weight'] as Tensor, eps)
    const h_ND = tf.add(x_ND, attention(norm1, weights, adapter))
    const norm2 = rmsNorm(h_ND, weights['post_attention_layernorm.weight'] as Tensor, eps)
    return tf.add(h_ND, mlp(norm2, weights, adapter))
  }
}
