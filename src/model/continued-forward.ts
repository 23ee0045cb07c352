import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type Arguments,
  defineKeepingStack,
  type FunctionLibrary,
  indices,
  type LayerStackSpec,
  type ProgramScope,
  type Tensors,
  tf,
} from '../engine/index.js'
import { attend, MASKED } from './attention.js'
import type { LanguageModel } from './language-model.js'
import { type AttentionSlots, decoderLayer, type LayerOperations } from './layer.js'
import { ofSize, type PackedLayout } from './packed-forward.js'
import { type PackedShape, shapeName } from './packed-shape.js'

/** Keys, rotated, and values of a beginning in every layer, f32[L, G, P, E], of which so many positions are used. */
export interface CachedBeginning {
  readonly keys: Tensor
  readonly values: Tensor
  /** int32, a scalar. */
  readonly count: Tensor
}

/**
 * The forward pass, without a gradient, of packed sequences that all continue one beginning whose keys and values are
 * known; and of a beginning itself, to know them. Legend as in `PackedForward`; P positions of the beginning.
 */
export class ContinuedForward {
  /** By the number of layers. */
  readonly #stacks = new Map<number, ReturnType<typeof defineKeepingStack>>()

  constructor(
    private readonly library: FunctionLibrary,
    private readonly model: LanguageModel,
    private readonly shape: PackedShape,
    private readonly operations: LayerOperations,
  ) {}

  /**
   * @param adapter  the adapter's vector, by its parts; null for the bare base
   * @param cached   null if the sequences are beginnings themselves
   * @returns `y`: output of the last layer, before the final norm, [N, D]; `keys` and `values` of the rows, [L, B, G, T, E]
   */
  hidden(
    scope: ProgramScope,
    batch: PackedLayout,
    adapter: readonly Tensor[] | null,
    cached: CachedBeginning | null,
  ): { readonly y: Tensor; readonly keys: Tensor; readonly values: Tensor } {
    const { variables, architecture, stages } = this.model
    let y = tf.reshape(tf.gather(scope.read(variables.embedding), batch.inputIds), [
      this.shape.tokens,
      architecture.hiddenSize,
    ])
    const stacks = stages.map(({ first, layers, weights }, stage) => {
      const own = (ofAll: Tensor) => this.#ofStage(ofAll, first, layers)
      return {
        ...Object.fromEntries(Object.entries(weights).map(([kind, v]) => [kind, scope.read(v)])),
        ...(adapter === null ? {} : { adapter_row: this.model.layerRows(adapter[stage] as Tensor, stage) }),
        ...(cached === null ? {} : { cached_keys: own(cached.keys), cached_values: own(cached.values) }),
      }
    })
    const slots = this.#slots(batch, cached?.count ?? null)
    const kept = stages.map(({ layers }, stage) => {
      const run = ofSize(this.#stacks, layers, () => this.#define(adapter !== null, layers))
      const result = run(stacks[stage] as Tensors, slots, y)
      y = result.y as Tensor
      return result as { keys: Tensor; values: Tensor }
    })
    const all = (parts: Tensor[]) => (parts.length === 1 ? (parts[0] as Tensor) : tf.concat(parts))
    return { y, keys: all(kept.map(({ keys }) => keys)), values: all(kept.map(({ values }) => values)) }
  }

  /** What a stage needs of keys or values of all layers. */
  #ofStage(ofAll: Tensor, first: number, layers: number): Tensor {
    if (layers === this.model.architecture.layers) return ofAll
    const [, ...own] = ofAll.shape
    return tf.slice(ofAll, [first, ...own.map(() => 0)], [layers, ...own])
  }

  #define(isAdapted: boolean, layers: number) {
    const { architecture: a } = this.model
    const { rows: B, length: T } = this.shape
    const own = [B, a.kvHeads, T, a.headDim]
    const whole = `continued_${shapeName(this.shape)}`
    const name = layers === a.layers ? whole : `${whole}/layers_${layers}`
    return defineKeepingStack(
      this.library,
      name,
      { spec: this.#spec(isAdapted, layers), kept: { keys: own, values: own } },
      (fixed, x) => {
        const kept: Record<string, Tensor> = {}
        const slots = this.#attentionSlots(fixed, kept)
        const y = decoderLayer(x, this.model.layer(fixed, fixed.adapter_row ?? null, this.operations), slots)
        return { y, ...kept }
      },
    )
  }

  #spec(isAdapted: boolean, layers: number): LayerStackSpec {
    const { architecture: a, layerSpecs, layerParameters } = this.model
    const { tokens: N, rows: B, length: T, beginning: P = 0 } = this.shape
    const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const })
    const int = (...shape: number[]) => ({ shape, dtype: 'int32' as const })
    const angles = float(N, 1, a.headDim / 2)
    const cached = float(a.kvHeads, P, a.headDim)
    const frozen: Arguments = {
      ...layerSpecs,
      ...(isAdapted ? { adapter_row: float(layerParameters) } : {}),
      ...(P === 0 ? {} : { cached_keys: cached, cached_values: cached }),
    }
    const shared = {
      ...{ cos: angles, sin: angles, slotTokens: int(B * T), tokenSlots: int(N) },
      mask: float(B, 1, 1, T, P + T),
    }
    return { layers, x: [N, a.hiddenSize], frozen, shared }
  }

  /** @param kept  gets the layer's keys and values */
  #attentionSlots(fixed: Tensors, kept: Record<string, Tensor>): AttentionSlots {
    const { kvHeads: G, headDim: E } = this.model.architecture
    const { rows: B, length: T, beginning: P = 0 } = this.shape
    const { cos, sin, slotTokens, tokenSlots, mask } = fixed as Record<
      'cos' | 'sin' | 'slotTokens' | 'tokenSlots' | 'mask',
      Tensor
    >
    const behind = (cached: Tensor | undefined, own: Tensor) =>
      cached === undefined ? own : tf.concat([tf.broadcastTo(tf.reshape(cached, [1, G, P, E]), [B, G, P, E]), own], 2)
    return {
      ...{ rows: B, length: T, cos_N1E: cos, sin_N1E: sin },
      places: { slotTokens_S: slotTokens, tokenSlots_N: tokenSlots },
      attention: (q_BHTE, k_BGTE, v_BGTE) => {
        Object.assign(kept, { keys: k_BGTE, values: v_BGTE })
        const [keys, values] = [behind(fixed.cached_keys, k_BGTE), behind(fixed.cached_values, v_BGTE)]
        return attend(q_BHTE, keys, values, mask)
      },
    }
  }

  /** The shared arguments of all layers. */
  #slots(batch: PackedLayout, count: Tensor | null): Tensors {
    const { rows: B, length: T, beginning: P = 0 } = this.shape
    const columns = indices(T)
    const others = tf.greaterEqual(tf.reshape(columns, [T, 1]), tf.reshape(batch.slotEnds, [B, 1, 1, 1, T]))
    const future_TT = tf.greater(tf.reshape(columns, [1, T]), tf.reshape(columns, [T, 1]))
    const own = tf.maximum(tf.cast(others, 'float32'), tf.cast(future_TT, 'float32'))
    const unused = count === null ? null : tf.cast(tf.greaterEqual(indices(P), count), 'float32')
    const hidden =
      unused === null ? own : tf.concat([tf.broadcastTo(tf.reshape(unused, [1, 1, 1, 1, P]), [B, 1, 1, T, P]), own], 4)
    return {
      ...this.model.rotations(batch.positionIds, P + T),
      mask: tf.mul(hidden, MASKED),
      ...{ slotTokens: batch.slotTokens, tokenSlots: batch.tokenSlots },
    }
  }
}
