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

/**
 * Inputs of the program: `tokens` int32[B], `position` in the cache, `starts` int32[B] = where each sequence begins,
 * `seed` int32[2], `temperature` (0 takes the likeliest). Output: `next` int32[B].
 */
export function traceDecoder(
  library: FunctionLibrary,
  model: LanguageModel,
  spec: DecoderSpec,
): { program: Program; variables: readonly Variable[] } {
  const cache = cacheVariables(model, spec)
  const { rows: B } = spec
  const { architecture: a } = model
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
          starts: given.starts,
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
    const uniform_BV = tf.maximum(statelessUniform([B, a.vocabSize], given.seed), 1e-20)
    const gumbel_BV = tf.neg(tf.log(tf.neg(tf.log(uniform_BV))))
    // a NaN or infinite logit shows in the sum of what each is worth with a weight of 0
    const finite_B = tf.cast(tf.equal(tf.sum(tf.mul(logits_BV, 0), 1), 0), 'int32')
    return { next: tf.argMax(tf.add(logits_BV, tf.mul(gumbel_BV, given.temperature)), 1), finite: finite_B }
  }
  const program = traceProgram(library, spec.name, inputs, body, model.dtype)
  return { program, variables: cache.flatMap(({ keys, values }) => [keys, values]) }
}

/** One layer for one new position: its output, and the cache with the position filled in. */
function defineDecoderStep(library: FunctionLibrary, model: LanguageModel, { name, rows: B, length: S }: DecoderSpec) {
  const { architecture: a } = model
  const { heads: H, kvHeads: G, headDim: E } = a
  const cached = { shape: [B, G, S, E], dtype: 'float32' as const }
  const specs = {
    x: { shape: [B, a.hiddenSize], dtype: 'float32' as const },
    position: { shape: [], dtype: 'int32' as const },
    starts: { shape: [B], dtype: 'int32' as const },
    keys: cached,
    values: cached,
    row: { shape: [model.layerParameters], dtype: 'float32' as const },
    ...model.layerSpecs,
  }
  const body = (args: Tensors) => {
    const { x, position, starts, keys, values, row } = args as Record<
      'x' | 'position' | 'starts' | 'keys' | 'values' | 'row',
      Tensor
    >
    const layer = model.layer(args, row, plainOperations(a))

    const offset_B1 = tf.reshape(tf.cast(tf.sub(position, starts), 'float32'), [B, 1])
    const frequencies = tf.tensor(Float32Array.from(model.frequencies), [1, E / 2])
    const angles_B1E = tf.reshape(tf.mul(offset_B1, frequencies), [B, 1, E / 2])
    const [cos, sin] = [tf.cos(angles_B1E), tf.sin(angles_B1E)] as [Tensor, Tensor]
    const { operations, weights } = layer
    const qkv_BO = linear(operations.norm(x, weights.input_norm as Tensor), 'qkv', layer)
    const [qk_BO, v_BO] = tf.split(qkv_BO, [(H + G) * E, G * E], 1) as [Tensor, Tensor]
    const rotated_BO = operations.rotated(qk_BO, cos, sin, headGains(layer))
    const [q_BO, k_BO] = tf.split(rotated_BO, [H * E, G * E], 1) as [Tensor, Tensor]

    const slots_1S = tf.reshape(indices(S), [1, S])
    const here_11S1 = tf.broadcastTo(tf.reshape(tf.equal(slots_1S, position), [1, 1, S, 1]), [B, G, S, E])
    const put = (fresh_BO: Tensor, old: Tensor) =>
      tf.where(here_11S1, tf.broadcastTo(tf.reshape(fresh_BO, [B, G, 1, E]), [B, G, S, E]), old)
    const keys1 = put(k_BO, keys)
    const values1 = put(v_BO, values)

    const seen = tf.logicalAnd(tf.lessEqual(slots_1S, position), tf.greaterEqual(slots_1S, tf.reshape(starts, [B, 1])))
    const mask = tf.reshape(tf.mul(tf.cast(tf.logicalNot(seen), 'float32'), MASKED), [B, 1, 1, 1, S])
    const mixed = attend(tf.reshape(q_BO, [B, H, 1, E]), keys1, values1, mask)
    return { y: afterAttention(x, tf.reshape(mixed, [B, H * E]), layer), keys: keys1, values: values1 }
  }
  return defineFunction(library, `${name}_step`, specs, body)
}
