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

/** A run of layers whose weights are at one device. */
export interface LayerStage {
  /** The first of its layers. */
  readonly first: number
  readonly layers: number
  /** By kind (`qkv_weight`, `input_norm`, …), stacked over its layers: [L, …]. */
  readonly weights: Readonly<Record<string, WeightVariable>>
}

/** All frozen weights. Matrices have the type of the model; norms and biases, which act in f32, stay f32. */
export interface ModelVariables {
  /** At the first stage. */
  readonly embedding: WeightVariable
  /** At the last stage. */
  readonly norm: WeightVariable
  /** The output layer [V, D], at the last stage; if they are tied, the embedding itself, or at another stage a copy. */
  readonly head: WeightVariable
  readonly stages: readonly LayerStage[]
  readonly all: readonly WeightVariable[]
}

/** The stage of each layer: as even as it goes, the longer ones first. */
export const stageOfLayer = (a: Pick<Architecture, 'layers'>, stages: number, layer: number): number =>
  Math.floor((layer * stages) / a.layers)

/** @param stages  devices that the layers are spread over, at most as many as there are layers */
export function modelVariables(a: Architecture, dtype: ModelDtype, stages = 1): ModelVariables {
  const matrix = productType(dtype)
  const last = stages === 1 ? {} : { stage: stages - 1 }
  const whole = (name: string, shape: readonly number[], type: Variable['dtype']): WeightVariable => ({
    ...{ name, shape, dtype: type },
    parts: [{ name, shape }],
  })
  const embedding = whole('model.embed_tokens.weight', [a.vocabSize, a.hiddenSize], matrix)
  const norm = { ...whole('model.norm.weight', [a.hiddenSize], 'float32'), ...last }
  const own = { ...whole('lm_head.weight', [a.vocabSize, a.hiddenSize], matrix), ...last }
  const copy = stages === 1 ? embedding : { ...own, parts: embedding.parts }
  const head = a.tiedHead ? copy : own
  const all = Array.from({ length: a.layers }, (_, layer) => layer)
  const layerStages = Array.from({ length: stages }, (_, stage) => {
    const layers = all.filter((layer) => stageOfLayer(a, stages, layer) === stage)
    return layerStage(a, matrix, layers, stages === 1 ? null : stage)
  })
  return {
    ...{ embedding, norm, head, stages: layerStages },
    all: [
      ...[embedding, norm, ...(head === embedding ? [] : [head])],
      ...layerStages.flatMap(({ weights }) => Object.values(weights)),
    ],
  }
}

/** @param stage  null if it is the only one */
function layerStage(
  a: Architecture,
  matrix: Variable['dtype'],
  layers: readonly number[],
  stage: number | null,
): LayerStage {
  const weights = Object.entries(layerWeights(a)).map(([key, { shape, matrix: isMatrix, parts }]) => {
    const named = layers.flatMap((layer) =>
      parts.map((part) => ('zeros' in part ? part : { ...part, name: `model.layers.${layer}.${part.name}` })),
    )
    const variable: WeightVariable = {
      name: stage === null ? `layers.${key}` : `stage_${stage}.layers.${key}`,
      ...(stage === null ? {} : { stage }),
      shape: [layers.length, ...shape],
      dtype: isMatrix ? matrix : 'float32',
      parts: named,
    }
    return [key, variable] as const
  })
  return { first: layers[0] as number, layers: layers.length, weights: Object.fromEntries(weights) }
}

/** Every tensor that the model's safetensors must hold. */
export const modelTensors = (a: Architecture): readonly ModelTensor[] =>
  modelVariables(a, 'f32').all.flatMap(({ parts }) => parts.flatMap((part) => ('zeros' in part ? [] : [part])))
