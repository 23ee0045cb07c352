import type { Variable } from '../engine/index.js'
import type { Architecture } from './architecture.js'

/** The linear layers of a decoder layer, by PEFT's names. */
export const LINEAR_LAYERS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const
export type LinearLayer = (typeof LINEAR_LAYERS)[number]

export type ModelDtype = 'f32' | 'bf16'

/** TensorFlow's name of the type that matrices have, and products of them. */
export const productType = (dtype: ModelDtype) => (dtype === 'bf16' ? 'bfloat16' : 'float32')

/** Linear layers of one input that are computed as one product: their outputs stand side by side. */
export const FUSED = {
  qkv: ['q_proj', 'k_proj', 'v_proj'],
  o: ['o_proj'],
  gate_up: ['gate_proj', 'up_proj'],
  down: ['down_proj'],
} as const satisfies Record<string, readonly LinearLayer[]>
export type FusedLinear = keyof typeof FUSED

/** Output and input width of a linear layer: its weight is [out, in]. */
export function linearShape(a: Architecture, layer: LinearLayer): readonly [out: number, input: number] {
  const { hiddenSize: D, intermediateSize: F } = a
  const q = a.heads * a.headDim
  const kv = a.kvHeads * a.headDim
  const shapes: Record<LinearLayer, readonly [number, number]> = {
    q_proj: [q, D],
    k_proj: [kv, D],
    v_proj: [kv, D],
    o_proj: [D, q],
    gate_proj: [F, D],
    up_proj: [F, D],
    down_proj: [D, F],
  }
  return shapes[layer]
}

/** Path of a linear layer inside a decoder layer, as Hugging Face names it. */
export const linearPath = (layer: LinearLayer): string =>
  (['q_proj', 'k_proj', 'v_proj', 'o_proj'].includes(layer) ? 'self_attn.' : 'mlp.') + layer

/** A tensor of the model's safetensors. */
export interface ModelTensor {
  readonly name: string
  readonly shape: readonly number[]
}

/** A frozen variable, and the tensors whose values it holds, one after the other. null: zeros of that size. */
export interface WeightVariable extends Variable {
  readonly parts: readonly (ModelTensor | { readonly zeros: number })[]
}

/** What one decoder layer holds of a stacked variable: its shape, and paths relative to `model.layers.N.`. */
interface LayerWeight {
  readonly shape: readonly number[]
  readonly matrix: boolean
  readonly parts: readonly (ModelTensor | { readonly zeros: number })[]
}

function layerWeights(a: Architecture): Record<string, LayerWeight> {
  const weights: Record<string, LayerWeight> = {}
  for (const [fused, layers] of Object.entries(FUSED)) {
    const shapes = layers.map((layer) => linearShape(a, layer))
    const out = shapes.reduce((sum, [rows]) => sum + rows, 0)
    const parts = layers.map((layer) => ({ name: `${linearPath(layer)}.weight`, shape: linearShape(a, layer) }))
    weights[`${fused}_weight`] = { shape: [out, shapes[0]![1]], matrix: true, parts }
    const hasBias = (layer: LinearLayer) => (a.biases as readonly string[]).includes(layer)
    if (!layers.some(hasBias)) continue
    const biases = layers.map((layer) => {
      const [rows] = linearShape(a, layer)
      return hasBias(layer) ? { name: `${linearPath(layer)}.bias`, shape: [rows] } : { zeros: rows }
    })
    weights[`${fused}_bias`] = { shape: [out], matrix: false, parts: biases }
  }
  const norm = (key: string, path: string, width: number) => {
    weights[key] = { shape: [width], matrix: false, parts: [{ name: `${path}.weight`, shape: [width] }] }
  }
  norm('input_norm', 'input_layernorm', a.hiddenSize)
  norm('post_attention_norm', 'post_attention_layernorm', a.hiddenSize)
  if (a.qkNorm) {
    norm('q_norm', 'self_attn.q_norm', a.headDim)
    norm('k_norm', 'self_attn.k_norm', a.headDim)
  }
  return weights
}

/** All frozen weights. Matrices have the type of the model; norms and biases, which act in f32, stay f32. */
export interface ModelVariables {
  readonly embedding: WeightVariable
  readonly norm: WeightVariable
  /** The output layer [V, D]; the embedding itself if they are tied. */
  readonly head: WeightVariable
  /** By kind (`qkv_weight`, `input_norm`, …), stacked over the layers: [L, …]. */
  readonly layers: Readonly<Record<string, WeightVariable>>
  readonly all: readonly WeightVariable[]
}

export function modelVariables(a: Architecture, dtype: ModelDtype): ModelVariables {
  const matrix = productType(dtype)
  const whole = (name: string, shape: readonly number[], type: Variable['dtype']): WeightVariable => ({
    ...{ name, shape, dtype: type },
    parts: [{ name, shape }],
  })
  const embedding = whole('model.embed_tokens.weight', [a.vocabSize, a.hiddenSize], matrix)
  const norm = whole('model.norm.weight', [a.hiddenSize], 'float32')
  const head = a.tiedHead ? embedding : whole('lm_head.weight', [a.vocabSize, a.hiddenSize], matrix)
  const layers = Object.fromEntries(
    Object.entries(layerWeights(a)).map(([key, { shape, matrix: isMatrix, parts }]) => {
      const all = Array.from({ length: a.layers }, (_, layer) =>
        parts.map((part) => ('zeros' in part ? part : { ...part, name: `model.layers.${layer}.${part.name}` })),
      )
      const variable: WeightVariable = {
        name: `layers.${key}`,
        shape: [a.layers, ...shape],
        dtype: isMatrix ? matrix : 'float32',
        parts: all.flat(),
      }
      return [key, variable] as const
    }),
  )
  return {
    embedding,
    norm,
    head,
    layers,
    all: [embedding, norm, ...(a.tiedHead ? [] : [head]), ...Object.values(layers)],
  }
}

/** Every tensor that the model's safetensors must hold. */
export const modelTensors = (a: Architecture): readonly ModelTensor[] =>
  modelVariables(a, 'f32').all.flatMap(({ parts }) => parts.flatMap((part) => ('zeros' in part ? [] : [part])))
