import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  defineDifferentiable,
  defineFunction,
  defineLinearHead,
  type FunctionLibrary,
  indices,
  type ParameterVector,
  type ProgramScope,
  segmentSum,
  type Tensors,
  tf,
} from '../engine/index.js'
import type { Architecture } from './architecture.js'
import { decoderLayer, type LayerAdapter, rmsNorm } from './layer.js'
import { type LoraOptions, loraName, loraParameters, loraScale } from './lora.js'
import { LINEAR_LAYERS, layerWeights, type ModelDtype, type ModelVariables, modelVariables } from './parameters.js'
import { ropeFrequencies } from './rope.js'

/** A padded block of sequences: B rows of T positions. */
export interface BlockShape {
  readonly rows: number
  readonly length: number
}

export const shapeName = ({ rows, length }: BlockShape): string => `${rows}x${length}`

/** What a trained model is made of, before any shape is known. */
export class LanguageModel {
  readonly variables: ModelVariables
  readonly lora: ParameterVector
  readonly scale: number
  readonly frequencies: Float64Array

  constructor(
    readonly architecture: Architecture,
    readonly dtype: ModelDtype,
    readonly loraOptions: LoraOptions,
  ) {
    this.variables = modelVariables(architecture, dtype)
    this.lora = loraParameters(architecture, loraOptions)
    this.scale = loraScale(loraOptions)
    this.frequencies = ropeFrequencies(architecture.headDim, architecture.ropeTheta, architecture.ropeScaling)
  }

  /** The adapter's matrices of one layer by `q_proj.A`, `q_proj.B`, …, out of all of them by PEFT's names. */
  layerMatrices(layer: number, matrices: Tensors): Tensors {
    const own = this.targets.flatMap((target) =>
      (['A', 'B'] as const).map((m) => [`${target}.${m}`, matrices[loraName(layer, target, m)] as Tensor] as const),
    )
    return Object.fromEntries(own)
  }

  get targets() {
    return LINEAR_LAYERS.filter((name) => this.loraOptions.targets.includes(name))
  }

  /** Arguments that the adapter adds to a layer's function. */
  get layerMatrixSpecs() {
    const { slots } = this.lora
    const shapeOf = (name: string) => slots.find((slot) => slot.name === name)?.shape ?? []
    const specs = this.targets.flatMap((target) =>
      (['A', 'B'] as const).map(
        (m) => [`${target}.${m}`, { shape: shapeOf(loraName(0, target, m)), dtype: 'float32' as const }] as const,
      ),
    )
    return Object.fromEntries(specs)
  }
}

/** Which completion tokens a block holds, as the host lays them out. All of length M = B·T; unused entries are 0. */
export interface CompletionTokens {
  /** Flat position (b·T + t − 1) whose output predicts the token. */
  readonly sources: Tensor
  readonly targets: Tensor
  /** The row b of the token; B for an unused entry. */
  readonly segments: Tensor
  /** How many entries are used. */
  readonly count: Tensor
}

/** Rows of one chunk of logits. */
const HEAD_CHUNK = 128

/** The forward pass of one block shape: its functions are traced once and shared by all programs of that shape. */
export class BlockForward {
  readonly #adapted: ReturnType<typeof defineDifferentiable>
  readonly #bare: (args: Tensors) => { y: Tensor }
  readonly #head: ReturnType<typeof defineLinearHead>
  /** Entries of the completion-token inputs: B·T, rounded up to whole chunks. */
  readonly tokenSlots: number

  constructor(
    library: FunctionLibrary,
    readonly model: LanguageModel,
    readonly shape: BlockShape,
  ) {
    const { architecture: a, dtype } = model
    const positions = shape.rows * shape.length
    const chunk = Math.min(HEAD_CHUNK, positions)
    this.tokenSlots = Math.ceil(positions / chunk) * chunk
    const layer = decoderLayer(a, shape, model.frequencies)
    const weights = layerWeights(a, dtype)
    const frozen = Object.fromEntries(Object.entries(weights).map(([path, spec]) => [argumentName(path), spec]))
    const x = { shape: [positions, a.hiddenSize], dtype: 'float32' } as const
    const matrices = Object.fromEntries(
      Object.entries(model.layerMatrixSpecs).map(([k, spec]) => [argumentName(k), spec]),
    )
    const byPath = (tensors: Tensors) =>
      Object.fromEntries(Object.keys(weights).map((p) => [p, tensors[argumentName(p)] as Tensor]))
    const byMatrix = (tensors: Tensors): LayerAdapter => ({
      matrices: Object.fromEntries(
        Object.keys(model.layerMatrixSpecs).map((k) => [k, tensors[argumentName(k)] as Tensor]),
      ),
      scale: model.scale,
    })
    const name = shapeName(shape)
    this.#adapted = defineDifferentiable(library, `layer_${name}`, frozen, { x, ...matrices }, (fixed, variable) =>
      layer(variable.x as Tensor, byPath(fixed), byMatrix(variable)),
    )
    this.#bare = defineFunction(library, `base_layer_${name}`, { x, ...frozen }, (args) => ({
      y: layer(args.x as Tensor, byPath(args), null),
    }))
    this.#head = defineLinearHead(library, `head_${name}`, {
      rows: this.tokenSlots,
      chunk,
      width: a.hiddenSize,
      classes: a.vocabSize,
      dtype: dtype === 'bf16' ? 'bfloat16' : 'float32',
    })
  }

  /**
   * Output of the last layer, before the final norm.
   *
   * @param ids_BT       token ids
   * @param matrices     the adapter's matrices by PEFT's names; null for the bare base
   * @param differentiate  keep what a backward pass needs
   * @returns [B·T, D]
   */
  hidden(scope: ProgramScope, ids_BT: Tensor, matrices: Tensors | null, differentiate: boolean): Tensor {
    const { variables, architecture } = this.model
    const positions = this.shape.rows * this.shape.length
    const embedded = tf.gather(scope.read(variables.embedding), tf.reshape(ids_BT, [positions]))
    let x_ND = tf.reshape(embedded, [positions, architecture.hiddenSize])
    variables.layers.forEach((weights, index) => {
      const frozen = Object.fromEntries(Object.entries(weights).map(([path, v]) => [argumentName(path), scope.read(v)]))
      if (matrices === null) x_ND = this.#bare({ x: x_ND, ...frozen }).y
      else {
        const own = Object.entries(this.model.layerMatrices(index, matrices)).map(
          ([k, t]) => [argumentName(k), t] as const,
        )
        x_ND = this.#adapted(frozen, { x: x_ND, ...Object.fromEntries(own) }, differentiate)
      }
    })
    return x_ND
  }

  /**
   * @returns log-probability of each completion token, f32[M], and their sums by row, f32[B]
   */
  logps(scope: ProgramScope, hidden_ND: Tensor, tokens: CompletionTokens, differentiate: boolean) {
    const { variables, architecture } = this.model
    const selected_MD = tf.gather(hidden_ND, tokens.sources)
    const normed_MD = rmsNorm(selected_MD, scope.read(variables.norm), architecture.rmsNormEps)
    const raw_M = this.#head(normed_MD, scope.read(variables.head), tokens.targets, tokens.count, differentiate)
    return {
      perToken_M: raw_M,
      sums_B: tf.slice(segmentSum(raw_M, tokens.segments, this.shape.rows + 1), [0], [this.shape.rows]),
    }
  }

  /** Mean of the normalised outputs over the prompt's positions, f32[B, D]; zero for a row without a prompt. */
  promptEmbeddings(scope: ProgramScope, hidden_ND: Tensor, promptLengths_B: Tensor): Tensor {
    const { rows: B, length: T } = this.shape
    const { variables, architecture } = this.model
    const normed_BTD = tf.reshape(rmsNorm(hidden_ND, scope.read(variables.norm), architecture.rmsNormEps), [
      B,
      T,
      architecture.hiddenSize,
    ])
    const lengths_B1 = tf.reshape(tf.cast(promptLengths_B, 'float32'), [B, 1])
    const positions_1T = tf.reshape(tf.cast(indices(T), 'float32'), [1, T])
    const share_BT = tf.div(tf.cast(tf.less(positions_1T, lengths_B1), 'float32'), tf.maximum(lengths_B1, 1))
    return tf.sum(tf.mul(normed_BTD, tf.reshape(share_BT, [B, T, 1])), 1)
  }
}

/** Function arguments allow no dots. */
const argumentName = (path: string): string => path.replaceAll('.', '_')
