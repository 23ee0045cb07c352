import type { Variable } from '../engine/index.js'
import type { Architecture } from './architecture.js'

/** The linear layers of a decoder layer, by PEFT's names. */
export const LINEAR_LAYERS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const
export type LinearLayer = (typeof LINEAR_LAYERS)[number]

export type ModelDtype = 'f32' | 'bf16'

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

/**
 * The frozen weights of one decoder layer, by path relative to `model.layers.N.`. Matrices have the type of the
 * model; norms and biases, which are added and multiplied in f32, stay f32.
 */
export function layerWeights(a: Architecture, dtype: ModelDtype): Record<string, Omit<Variable, 'name'>> {
  const matrix = dtype === 'bf16' ? 'bfloat16' : 'float32'
  const weights: Record<string, Omit<Variable, 'name'>> = {}
  for (const layer of LINEAR_LAYERS) {
    const shape = linearShape(a, layer)
    weights[`${linearPath(layer)}.weight`] = { shape, dtype: matrix }
    if ((a.biases as readonly string[]).includes(layer))
      weights[`${linearPath(layer)}.bias`] = { shape: [shape[0]], dtype: 'float32' }
  }
  for (const norm of ['input_layernorm', 'post_attention_layernorm'])
    weights[`${norm}.weight`] = { shape: [a.hiddenSize], dtype: 'float32' }
  if (a.qkNorm)
    for (const norm of ['q_norm', 'k_norm'])
      weights[`self_attn.${norm}.weight`] = { shape: [a.headDim], dtype: 'float32' }
  return weights
}

/** All frozen weights, named as in the model's safetensors. */
export interface ModelVariables {
  readonly embedding: Variable
  readonly norm: Variable
  /** The output layer [V, D]; the embedding itself where they are tied. */
  readonly head: Variable
  /** By layer, then by path. */
  readonly layers: readonly Readonly<Record<string, Variable>>[]
  readonly all: readonly Variable[]
}

export function modelVariables(a: Architecture, dtype: ModelDtype): ModelVariables {
  const matrix = dtype === 'bf16' ? 'bfloat16' : 'float32'
  const embedding: Variable = { name: 'model.embed_tokens.weight', shape: [a.vocabSize, a.hiddenSize], dtype: matrix }
  const norm: Variable = { name: 'model.norm.weight', shape: [a.hiddenSize], dtype: 'float32' }
  const head: Variable = a.tiedHead ? embedding : { ...embedding, name: 'lm_head.weight' }
  const layers = Array.from({ length: a.layers }, (_, index) => {
    const weights = Object.entries(layerWeights(a, dtype))
    return Object.fromEntries(weights.map(([path, spec]) => [path, { ...spec, name: `model.layers.${index}.${path}` }]))
  })
  const all = [embedding, norm, ...(a.tiedHead ? [] : [head]), ...layers.flatMap((layer) => Object.values(layer))]
  return { embedding, norm, head, layers, all }
}
