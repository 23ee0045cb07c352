import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type DivergenceHead,
  defineDivergenceHead,
  defineFrozenStack,
  defineLayerStack,
  defineLinearHead,
  type FunctionLibrary,
  type LayerStackSpec,
  type ProgramScope,
  segmentSum,
  type Tensors,
  tf,
  usesGpu,
} from '../engine/index.js'
import type { PackedAttention, SlotLayout } from './attention.js'
import type { LanguageModel } from './language-model.js'
import { type AttentionSlots, decoderLayer, type LayerOperations, rmsNorm } from './layer.js'
import { definePackedAttention } from './packed-attention.js'
import { packedOperations } from './packed-operations.js'
import { type PackedShape, shapeName } from './packed-shape.js'
import { productType } from './parameters.js'

/** The completion tokens of a packed batch, as the host lays them out; int32[M], unused entries are 0. */
export interface CompletionTokens {
  /** The token whose logits predict each. */
  readonly logitIndices: Tensor
  readonly targetIds: Tensor
  /** The sequence of each; R for an unused entry. */
  readonly targetSegmentIds: Tensor
  /** How many entries are used; a scalar. */
  readonly targetCount: Tensor
}

/** The tokens of a packed batch and the slots that the attention runs on, as the host lays them out; int32. */
export interface PackedLayout extends SlotLayout {
  /** [N] token ids */
  readonly inputIds: Tensor
  /** [N] position within the sequence */
  readonly positionIds: Tensor
  /** [B·T] the token in each slot */
  readonly slotTokens: Tensor
  /** [N] the slot of each token */
  readonly tokenSlots: Tensor
}

/**
 * Rows of one chunk of logits. A chunk reads all of the head, and on a GPU the host waits for each to learn whether there
 * is anything to compute.
 */
const headChunk = () => (usesGpu() ? 512 : 128)

/** The forward pass of packed batches of one shape: its functions are traced once and shared by all programs of that shape. */
export class PackedForward {
  /** By the number of layers. */
  readonly #base = new Map<number, ReturnType<typeof defineFrozenStack>>()
  readonly #adapted = new Map<number, ReturnType<typeof defineLayerStack>>()
  #divergence: DivergenceHead | null = null
  readonly #head: ReturnType<typeof defineLinearHead>
  readonly #headSpec: Parameters<typeof defineLinearHead>[2]
  /** Of the layers, over the tokens of this shape. */
  readonly operations: LayerOperations
  #definedAttention: PackedAttention | null = null
  /** M, entries of the completion-token inputs: N, rounded up to whole chunks. */
  readonly targetCapacity: number

  constructor(
    private readonly library: FunctionLibrary,
    readonly model: LanguageModel,
    readonly shape: PackedShape,
    /** Keep only the input of each layer for the backward pass. */
    private readonly recompute = false,
  ) {
    const { architecture: a, dtype } = model
    this.operations = packedOperations(library, model, shape)
    const chunk = Math.min(headChunk(), shape.tokens)
    this.targetCapacity = Math.ceil(shape.tokens / chunk) * chunk
    this.#headSpec = {
      ...{ rows: this.targetCapacity, chunk, width: a.hiddenSize, classes: a.vocabSize },
      dtype: productType(dtype),
    }
    this.#head = defineLinearHead(library, `head_${shapeName(shape)}`, this.#headSpec)
  }

  /**
   * Output of the last layer, before the final norm.
   *
   * @param adapter        the adapter's vector, by its parts; null for the bare base
   * @param differentiate  keep what a backward pass needs
   * @returns [N, D]
   */
  hidden(scope: ProgramScope, batch: PackedLayout, adapter: readonly Tensor[] | null, differentiate: boolean): Tensor {
    const { variables, architecture, stages } = this.model
    const { tokens: N } = this.shape
    let x_ND = tf.reshape(tf.gather(scope.read(variables.embedding), batch.inputIds), [N, architecture.hiddenSize])
    const stacks = stages.map(({ weights }) =>
      Object.fromEntries(Object.entries(weights).map(([kind, v]) => [kind, scope.read(v)])),
    )
    const slots = this.#slots(batch)
    stages.forEach(({ layers }, stage) => {
      const stacked = stacks[stage] as Tensors
      if (adapter === null) {
        const base = ofSize(this.#base, layers, () => this.#defineBase(layers))
        x_ND = base(stacked, slots, x_ND)
      } else {
        const adapted = ofSize(this.#adapted, layers, () => this.#defineAdapted(layers))
        x_ND = adapted(stacked, slots, x_ND, this.model.layerRows(adapter[stage] as Tensor, stage), differentiate)
      }
    })
    return x_ND
  }

  /** Log-probabilities of the completions: sums over their tokens by sequence, f32[R]. */
  logps(scope: ProgramScope, hidden_ND: Tensor, tokens: CompletionTokens, differentiate: boolean): Tensor {
    const perToken_M = this.#head(
      this.#predicting(scope, hidden_ND, tokens),
      scope.read(this.model.variables.head),
      tokens.targetIds,
      tokens.targetCount,
      differentiate,
    )
    return this.#sumBySequence(perToken_M, tokens)
  }

  /**
   * KL(p ‖ q) at the positions of the completions, summed by sequence, f32[R].
   *
   * @param hidden_ND  of p
   * @param other_ND   of q
   */
  divergences(scope: ProgramScope, hidden_ND: Tensor, other_ND: Tensor, tokens: CompletionTokens): Tensor {
    this.#divergence ??= defineDivergenceHead(this.library, `divergence_head_${shapeName(this.shape)}`, this.#headSpec)
    const perToken_M = this.#divergence(
      this.#predicting(scope, hidden_ND, tokens),
      this.#predicting(scope, other_ND, tokens),
      scope.read(this.model.variables.head),
      tokens.targetCount,
    )
    return this.#sumBySequence(perToken_M, tokens)
  }

  /** What the head sees for each completion token, f32[M, D]. */
  #predicting(scope: ProgramScope, hidden_ND: Tensor, { logitIndices }: CompletionTokens): Tensor {
    const { variables, architecture } = this.model
    return rmsNorm(tf.gather(hidden_ND, logitIndices), scope.read(variables.norm), architecture.rmsNormEps)
  }

  #sumBySequence(perToken_M: Tensor, { targetSegmentIds }: CompletionTokens): Tensor {
    const { sequences: R } = this.shape
    return tf.slice(segmentSum(perToken_M, targetSegmentIds, R + 1), [0], [R])
  }

  /**
   * Sums of the normalised outputs over the tokens of each part of the prompts, f32[2R, D]: a prompt is some of the parts.
   *
   * @param promptPartIds_N  int32: the part that a token belongs to; 2R if to none
   */
  promptSums(scope: ProgramScope, hidden_ND: Tensor, promptPartIds_N: Tensor): Tensor {
    const { sequences: R } = this.shape
    const { variables, architecture } = this.model
    const normed_ND = rmsNorm(hidden_ND, scope.read(variables.norm), architecture.rmsNormEps)
    return tf.slice(segmentSum(normed_ND, promptPartIds_N, 2 * R + 1), [0, 0], [2 * R, architecture.hiddenSize])
  }

  // each is traced when it is first asked for: not every learner needs all

  #defineBase(layers: number) {
    return defineFrozenStack(this.library, this.#stackName('base', layers), this.#stackSpec(layers), (fixed, x) =>
      decoderLayer(x, this.model.layer(fixed, null, this.operations), this.#slotsOf(fixed)),
    )
  }

  #defineAdapted(layers: number) {
    const { model } = this
    const spec = { ...this.#stackSpec(layers), parameters: model.layerParameters }
    return defineLayerStack(this.library, this.#stackName('adapted', layers), spec, (fixed, x, row) =>
      decoderLayer(x, model.layer(fixed, row, this.operations), this.#slotsOf(fixed)),
    )
  }

  #stackName(kind: 'base' | 'adapted', layers: number): string {
    const name = `${kind}_${shapeName(this.shape)}`
    return layers === this.model.architecture.layers ? name : `${name}/layers_${layers}`
  }

  get #attention(): PackedAttention {
    const { rows, length } = this.shape
    const { architecture, dtype } = this.model
    const { heads, kvHeads, headDim } = architecture
    this.#definedAttention ??= definePackedAttention(this.library, `attention_${shapeName(this.shape)}`, {
      ...{ rows, length, heads, kvHeads, headDim },
      product: productType(dtype),
    })
    return this.#definedAttention
  }

  /** Whether the tokens stand in one row, each in the slot of its number. */
  get #isInOrder(): boolean {
    return this.shape.rows === 1
  }

  #stackSpec(layers: number): LayerStackSpec {
    const { architecture: a } = this.model
    const { tokens: N, rows: B, length: T } = this.shape
    const float = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'float32' as const })
    const int = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'int32' as const })
    const angles = float(N, 1, a.headDim / 2)
    return {
      layers,
      x: [N, a.hiddenSize],
      recompute: this.recompute,
      frozen: this.model.layerSpecs,
      shared: {
        ...{ cos: angles, sin: angles },
        ...(this.#isInOrder ? {} : { slotTokens: int(B * T), tokenSlots: int(N) }),
        ...this.#attention.shared,
      },
    }
  }

  #slotsOf(fixed: Tensors): AttentionSlots {
    const { rows, length } = this.shape
    const { cos, sin, slotTokens, tokenSlots } = fixed as Record<'cos' | 'sin' | 'slotTokens' | 'tokenSlots', Tensor>
    const places = this.#isInOrder ? null : { slotTokens_S: slotTokens, tokenSlots_N: tokenSlots }
    const layout = { cos_N1E: cos, sin_N1E: sin, places }
    return { rows, length, ...layout, attention: (q, k, v) => this.#attention.attend(q, k, v, fixed) }
  }

  /** The shared arguments of all layers. */
  #slots(batch: PackedLayout): Tensors {
    return {
      ...this.model.rotations(batch.positionIds, this.shape.length),
      ...(this.#isInOrder ? {} : { slotTokens: batch.slotTokens, tokenSlots: batch.tokenSlots }),
      ...this.#attention.sharedOf(batch),
    }
  }
}

/** What is traced once for each number of layers. */
export function ofSize<T>(traced: Map<number, T>, layers: number, trace: () => T): T {
  const known = traced.get(layers)
  if (known !== undefined) return known
  const made = trace()
  traced.set(layers, made)
  return made
}
