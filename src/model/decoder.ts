/**
 * Sampling with a key-value cache: one program that takes one token of each of B sequences further.
 *
 * Sequences are padded on the left, so that all of them stand at the same position of the cache. Legend: B sequences,
 * S positions of the cache, D width, H query heads, G key-value heads, E channels of a head, V vocabulary.
 */
import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  defineFunction,
  type FunctionLibrary,
  indices,
  type Program,
  type ProgramScope,
  statelessUniform,
  type Tensors,
  tf,
  traceProgram,
  type Variable,
} from '../engine/index.js'
import type { LanguageModel } from './language-model.js'
import { heads, type LayerAdapter, linear, MASKED, mlp, rmsNorm, rotate } from './layer.js'
import { layerWeights } from './parameters.js'

export interface DecoderShape {
  /** Sequences decoded at once. */
  readonly rows: number
  /** Positions of the cache: prompt and answer together. */
  readonly length: number
}

export const DECODE = 'decode'

/** The cache: keys and values of every layer, [B, G, S, E]. */
export function cacheVariables(
  model: LanguageModel,
  { rows, length }: DecoderShape,
): readonly { keys: Variable; values: Variable }[] {
  const { layers, kvHeads, headDim } = model.architecture
  const shape = [rows, kvHeads, length, headDim]
  return Array.from({ length: layers }, (_, i) => ({
    keys: { name: `cache.${i}.keys`, shape, dtype: 'float32' },
    values: { name: `cache.${i}.values`, shape, dtype: 'float32' },
  }))
}

/**
 * Inputs of the program: `tokens` int32[B], `position` in the cache, `starts` int32[B] = where each sequence begins,
 * `seed` int32[2], `temperature` (0 takes the likeliest). Output: `next` int32[B].
 */
export function traceDecoder(
  library: FunctionLibrary,
  model: LanguageModel,
  shape: DecoderShape,
): { program: Program; variables: readonly Variable[] } {
  const cache = cacheVariables(model, shape)
  const { rows: B } = shape
  const { architecture: a } = model
  const layer = defineDecoderStep(library, model, shape)
  const int = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'int32' as const })
  const inputs = {
    tokens: int(B),
    position: int(),
    starts: int(B),
    seed: int(2),
    temperature: { shape: [], dtype: 'float32' as const },
  }
  const body = (scope: ProgramScope) => {
    const given = scope.inputs as Readonly<Record<keyof typeof inputs, Tensor>>
    const matrices = model.lora.split(scope.read(model.lora.values))
    let x_BD = tf.reshape(tf.gather(scope.read(model.variables.embedding), given.tokens), [B, a.hiddenSize])
    cache.forEach(({ keys, values }, index) => {
      const weights = Object.entries(model.variables.layers[index] as Record<string, Variable>)
      const result = layer({
        x: x_BD,
        position: given.position,
        starts: given.starts,
        keys: scope.read(keys),
        values: scope.read(values),
        ...Object.fromEntries(weights.map(([path, variable]) => [argument(path), scope.read(variable)])),
        ...rename(model.layerMatrices(index, matrices)),
      })
      scope.assign(keys, result.keys)
      scope.assign(values, result.values)
      x_BD = result.y
    })
    const h_BD = rmsNorm(x_BD, scope.read(model.variables.norm), a.rmsNormEps)
    const logits_BV = tf.matMul(h_BD, scope.read(model.variables.head), false, true)
    // Gumbel-max: argmax(logits + τ·G) is a sample from softmax(logits / τ)
    const uniform_BV = tf.maximum(statelessUniform([B, a.vocabSize], given.seed), 1e-20)
    const gumbel_BV = tf.neg(tf.log(tf.neg(tf.log(uniform_BV))))
    return { next: tf.argMax(tf.add(logits_BV, tf.mul(gumbel_BV, given.temperature)), 1) }
  }
  const program = traceProgram(library, DECODE, inputs, body, model.dtype === 'bf16' ? 'bf16' : 'f32')
  return { program, variables: cache.flatMap(({ keys, values }) => [keys, values]) }
}

const argument = (path: string) => path.replaceAll('.', '_')
const rename = (tensors: Tensors) => Object.fromEntries(Object.entries(tensors).map(([k, t]) => [argument(k), t]))

/** One layer for one new position: its output, and the cache with the position filled in. */
function defineDecoderStep(library: FunctionLibrary, model: LanguageModel, { rows: B, length: S }: DecoderShape) {
  const { architecture: a, dtype, scale } = model
  const { heads: H, kvHeads: G, headDim: E, rmsNormEps: eps } = a
  const weightSpecs = layerWeights(a, dtype)
  const cached = { shape: [B, G, S, E], dtype: 'float32' as const }
  const specs = {
    x: { shape: [B, a.hiddenSize], dtype: 'float32' as const },
    position: { shape: [], dtype: 'int32' as const },
    starts: { shape: [B], dtype: 'int32' as const },
    keys: cached,
    values: cached,
    ...Object.fromEntries(Object.entries(weightSpecs).map(([path, spec]) => [argument(path), spec])),
    ...Object.fromEntries(Object.entries(model.layerMatrixSpecs).map(([key, spec]) => [argument(key), spec])),
  }
  const body = (args: Tensors) => {
    const weights = Object.fromEntries(Object.keys(weightSpecs).map((path) => [path, args[argument(path)] as Tensor]))
    const matrices = Object.fromEntries(
      Object.keys(model.layerMatrixSpecs).map((k) => [k, args[argument(k)] as Tensor]),
    )
    const adapter: LayerAdapter = { matrices, scale }
    const { x, position, starts, keys, values } = args as Record<
      'x' | 'position' | 'starts' | 'keys' | 'values',
      Tensor
    >

    const offset_B1 = tf.reshape(tf.cast(tf.sub(position, starts), 'float32'), [B, 1])
    const frequencies = tf.tensor(Float32Array.from(model.frequencies), [1, E / 2])
    const angles_B11E = tf.reshape(tf.mul(offset_B1, frequencies), [B, 1, 1, E / 2])
    const [cos, sin] = [tf.cos(angles_B11E), tf.sin(angles_B11E)] as [Tensor, Tensor]

    const h_BD = rmsNorm(x, weights['input_layernorm.weight'] as Tensor, eps)
    const project = (name: 'q_proj' | 'k_proj' | 'v_proj', count: number, norm?: Tensor) =>
      heads(linear(h_BD, name, weights, adapter), [B, count, 1, E], norm, eps)
    const q_BH1E = rotate(project('q_proj', H, weights['self_attn.q_norm.weight']), cos, sin)
    const k_BG1E = rotate(project('k_proj', G, weights['self_attn.k_norm.weight']), cos, sin)
    const v_BG1E = project('v_proj', G)

    const slots_1S = tf.reshape(indices(S), [1, S])
    const here_11S1 = tf.broadcastTo(tf.reshape(tf.equal(slots_1S, position), [1, 1, S, 1]), [B, G, S, E])
    const put = (fresh: Tensor, old: Tensor) => tf.where(here_11S1, tf.broadcastTo(fresh, [B, G, S, E]), old)
    const keys1 = put(k_BG1E, keys)
    const values1 = put(v_BG1E, values)

    const hidden_BS = tf.cast(
      tf.logicalNot(
        tf.logicalAnd(tf.lessEqual(slots_1S, position), tf.greaterEqual(slots_1S, tf.reshape(starts, [B, 1]))),
      ),
      'float32',
    )
    const q_BGME = tf.reshape(tf.mul(q_BH1E, E ** -0.5), [B, G, H / G, E])
    const scores = tf.add(tf.matMul(q_BGME, keys1, false, true), tf.reshape(tf.mul(hidden_BS, MASKED), [B, 1, 1, S]))
    const mixed_BO = tf.reshape(tf.matMul(tf.softmax(scores), values1), [B, H * E])
    const attended = tf.add(x, linear(mixed_BO, 'o_proj', weights, adapter))
    const norm2 = rmsNorm(attended, weights['post_attention_layernorm.weight'] as Tensor, eps)
    return { y: tf.add(attended, mlp(norm2, weights, adapter)), keys: keys1, values: values1 }
  }
  return defineFunction(library, 'decoder_step', specs, body)
}
