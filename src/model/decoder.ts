/**
 * Sampling with a key-value cache: one program that takes one token of each of B sequences further.
 *
 * All sequences begin at the first position of the cache, so a row computes the same whatever stands in the others.
 * Legend: B sequences, S positions of the cache, D width, H query heads, G key-value heads, E channels of a head,
 * V vocabulary.
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
import { attend, MASKED } from './attention.js'
import type { LanguageModel } from './language-model.js'
import { afterAttention, headGains, linear, plainOperations, rmsNorm } from './layer.js'

export interface DecoderShape {
  /** Sequences decoded at once. */
  readonly rows: number
  /** Positions of the cache: prompt and answer together. */
  readonly length: number
}

/** A decoder of a session. */
export interface DecoderSpec extends DecoderShape {
  /** Of the program; two decoders have two names. */
  readonly name: string
  /** The vector of the adapter that it answers with, by its parts. */
  readonly adapter: readonly Variable[]
}

/** The cache: keys and values of every layer, [B, G, S, E]. */
export function cacheVariables(
  model: LanguageModel,
  { rows, length, name }: DecoderSpec,
): readonly { keys: Variable; values: Variable }[] {
  const { kvHeads, headDim } = model.architecture
  const shape = [rows, kvHeads, length, headDim]
  return model.stages.flatMap(({ first, layers }, stage) =>
    Array.from({ length: layers }, (_, i) => ({
      keys: { name: `${name}.cache.${first + i}.keys`, shape, dtype: 'float32', stage },
      values: { name: `${name}.cache.${first + i}.values`, shape, dtype: 'float32', stage },
    })),
  )
}

/** The program that empties the cache of a decoder. */
export const emptyCacheName = ({ name }: Pick<DecoderSpec, 'name'>): string => `${name}_empty`

/**
 * Two programs. The decoder's takes `tokens` int32[B], their `position` in the cache, `seeds` int32[B, 2] and
 * `temperature` (0 takes the likeliest), and gives `next` int32[B], with `finite` int32[B] = 1 where logits are. Before
 * the first of its calls comes one of `emptyCacheName`: until then a cache takes no memory.
 */
export function traceDecoder(
  library: FunctionLibrary,
  model: LanguageModel,
  spec: DecoderSpec,
): { programs: readonly Program[]; cache: readonly Variable[] } {
  const cache = cacheVariables(model, spec)
  const empty = traceProgram(library, emptyCacheName(spec), {}, ({ assign }) => {
    for (const variable of cache.flatMap(({ keys, values }) => [keys, values]))
      assign(variable, tf.broadcastTo(tf.zeros([1, 1, 1, 1]), variable.shape as [number, number, number, number]))
    return { done: tf.zeros([]) }
  })
  const { rows: B } = spec
  const { architecture: a } = model
  const int = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'int32' as const })
  const inputs = {
    tokens: int(B),
    position: int(),
    seeds: int(B, 2),
    temperature: { shape: [], dtype: 'float32' as const },
  }
  const body = (scope: ProgramScope) => {
    const given = scope.inputs as Readonly<Record<keyof typeof inputs, Tensor>>
    // within the program, so that its products have the program's type
    const layer = defineDecoderStep(library, model, spec)
    const adapterRows = spec.adapter.map((part, stage) => model.layerRows(scope.read(part), stage))
    let x_BD = tf.reshape(tf.gather(scope.read(model.variables.embedding), given.tokens), [B, a.hiddenSize])
    model.stages.forEach(({ first, layers, weights: stacks }, stage) => {
      const rows_LP = adapterRows[stage] as Tensor
      cache.slice(first, first + layers).forEach(({ keys, values }, index) => {
        const weights = Object.entries(stacks).map(([kind, variable]) => {
          const [, ...own] = variable.shape
          const stack = scope.read(variable)
          const slice = tf.slice(stack, [index, ...own.map(() => 0)], [1, ...own])
          return [kind, tf.reshape(slice, own)] as const
        })
        const result = layer({
          x: x_BD,
          position: given.position,
          keys: scope.read(keys),
          values: scope.read(values),
          row: tf.reshape(tf.slice(rows_LP, [index, 0], [1, model.layerParameters]), [model.layerParameters]),
          ...Object.fromEntries(weights),
        })
        scope.assign(keys, result.keys)
        scope.assign(values, result.values)
        x_BD = result.y
      })
    })
    const h_BD = rmsNorm(x_BD, scope.read(model.variables.norm), a.rmsNormEps)
    const logits_BV = tf.matMul(h_BD, scope.read(model.variables.head), false, true)
    // Gumbel-max: argmax(logits + τ·G) is a sample from softmax(logits / τ)
    const uniform_BV = tf.maximum(uniformRows(given.seeds, B, a.vocabSize), 1e-20)
    const gumbel_BV = tf.neg(tf.log(tf.neg(tf.log(uniform_BV))))
    // a NaN or infinite logit shows in the sum of what each is worth with a weight of 0
    const finite_B = tf.cast(tf.equal(tf.sum(tf.mul(logits_BV, 0), 1), 0), 'int32')
    return { next: tf.argMax(tf.add(logits_BV, tf.mul(gumbel_BV, given.temperature)), 1), finite: finite_B }
  }
  const program = traceProgram(library, spec.name, inputs, body, model.dtype)
  return { programs: [empty, program], cache: cache.flatMap(({ keys, values }) => [keys, values]) }
}

/** Uniform numbers in [0, 1), each row a function of its own seed. */
function uniformRows(seeds_B2: Tensor, rows: number, width: number): Tensor {
  const seedOf = (row: number) => tf.reshape(tf.slice(seeds_B2, [row, 0], [1, 2]), [2])
  return tf.concat(Array.from({ length: rows }, (_, row) => statelessUniform([1, width], seedOf(row))))
}

/** One layer for one new position: its output, and the cache with the position filled in. */
function defineDecoderStep(library: FunctionLibrary, model: LanguageModel, { name, rows: B, length: S }: DecoderSpec) {
  const { architecture: a } = model
  const { heads: H, kvHeads: G, headDim: E } = a
  const cached = { shape: [B, G, S, E], dtype: 'float32' as const }
  const specs = {
    x: { shape: [B, a.hiddenSize], dtype: 'float32' as const },
    position: { shape: [], dtype: 'int32' as const },
    keys: cached,
    values: cached,
    row: { shape: [model.layerParameters], dtype: 'float32' as const },
    ...model.layerSpecs,
  }
  const body = (args: Tensors) => {
    const { x, position, keys, values, row } = args as Record<'x' | 'position' | 'keys' | 'values' | 'row', Tensor>
    const layer = model.layer(args, row, plainOperations(a))

    const frequencies = tf.tensor(Float32Array.from(model.frequencies), [1, 1, E / 2])
    const angles_11E = tf.mul(tf.cast(position, 'float32'), frequencies)
    const inRows = (each: Tensor) => tf.broadcastTo(each, [B, 1, E / 2])
    const [cos, sin] = [inRows(tf.cos(angles_11E)), inRows(tf.sin(angles_11E))]
    const { operations, weights } = layer
    const qkv_BO = linear(operations.norm(x, weights.input_norm as Tensor), 'qkv', layer)
    const [qk_BO, v_BO] = tf.split(qkv_BO, [(H + G) * E, G * E], 1) as [Tensor, Tensor]
    const rotated_BO = operations.rotated(qk_BO, cos, sin, headGains(layer))
    const [q_BO, k_BO] = tf.split(rotated_BO, [H * E, G * E], 1) as [Tensor, Tensor]

    const slots_1S = tf.reshape(indices(S), [1, S])
    const here_BGSE = tf.broadcastTo(tf.reshape(tf.equal(slots_1S, position), [1, 1, S, 1]), [B, G, S, E])
    const put = (fresh_BO: Tensor, old: Tensor) =>
      tf.where(here_BGSE, tf.broadcastTo(tf.reshape(fresh_BO, [B, G, 1, E]), [B, G, S, E]), old)
    const keys1 = put(k_BO, keys)
    const values1 = put(v_BO, values)

    const mask = tf.reshape(tf.mul(tf.cast(tf.greater(slots_1S, position), 'float32'), MASKED), [1, 1, 1, 1, S])
    const mixed = attend(tf.reshape(q_BO, [B, H, 1, E]), keys1, values1, mask)
    return { y: afterAttention(x, tf.reshape(mixed, [B, H * E]), layer), keys: keys1, values: values1 }
  }
  return defineFunction(library, `${name}_step`, specs, body)
}
