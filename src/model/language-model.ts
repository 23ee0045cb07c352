import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { loraScale } from '../adapters/weights/low-rank.js'
import { type Arguments, type ParameterVector, type Tensors, tf, withGradient } from '../engine/index.js'
import type { Architecture } from './architecture.js'
import type { Layer, LayerOperations } from './layer.js'
import { type LoraOptions, loraKey, loraParameters } from './lora.js'
import { type LayerStage, type ModelDtype, type ModelVariables, modelVariables } from './parameters.js'
import { type Rotations, ropeFrequencies, rotationsOf } from './rope.js'

/** What a trained model is made of, before any shape is known. */
export class LanguageModel {
  readonly variables: ModelVariables
  readonly lora: ParameterVector
  readonly scale: number
  readonly frequencies: Float64Array
  /** By stage. */
  readonly #rowOrders: readonly (readonly number[])[]
  /** Of as many positions as any program has asked for. */
  #rotations: Rotations = { cos: new Float32Array(), sin: new Float32Array() }

  /** @param stages  devices that the layers are spread over */
  constructor(
    readonly architecture: Architecture,
    readonly dtype: ModelDtype,
    readonly loraOptions: LoraOptions,
    stages = 1,
  ) {
    this.variables = modelVariables(architecture, dtype, stages)
    this.lora = loraParameters(architecture, loraOptions, stages)
    this.scale = loraScale(loraOptions)
    this.frequencies = ropeFrequencies(architecture.headDim, architecture.ropeTheta, architecture.ropeScaling)
    // the vector is sorted by PEFT's names, in which layer 10 comes before layer 2
    this.#rowOrders = this.stages.map(({ first, layers }) => {
      const names = Array.from({ length: layers }, (_, i) => `${first + i}`)
      const sorted = names.toSorted()
      return names.map((name) => sorted.indexOf(name))
    })
  }

  /** Trainable floats of one layer. */
  get layerParameters(): number {
    return this.lora.size / this.architecture.layers
  }

  /** The runs of layers that are at one device, in their order. */
  get stages(): readonly LayerStage[] {
    return this.variables.stages
  }

  /** An adapter's part at a stage as one row per layer, f32[L, P]. */
  layerRows(part: Tensor, stage: number): Tensor {
    const rowOrder = this.#rowOrders[stage] as readonly number[]
    const rows = tf.reshape(part, [rowOrder.length, this.layerParameters])
    if (rowOrder.every((row, layer) => row === layer)) return rows
    const order = (rowOf: readonly number[]) => tf.tensor1d([...rowOf], 'int32')
    const back = rowOrder.map((_, row) => rowOrder.indexOf(row))
    return withGradient(
      [rows],
      ([each]) => ({ value: tf.gather(each as Tensor, order(rowOrder)), kept: [] }),
      (dy) => [tf.gather(dy, order(back))],
    )
  }

  /**
   * Cosines and sines of the rotation of each token, f32[N, 1, E/2] each.
   *
   * @param positionIds  int32[N], less than `positions`
   */
  rotations(positionIds: Tensor, positions: number): { readonly cos: Tensor; readonly sin: Tensor } {
    const half = this.frequencies.length
    const size = positions * half
    if (this.#rotations.cos.length < size) this.#rotations = rotationsOf(this.frequencies, positions)
    const rowsOf = (table: Float32Array) =>
      tf.reshape(tf.gather(tf.tensor(table.subarray(0, size), [positions, half]), positionIds), [
        ...[positionIds.size, 1, half],
      ])
    return { cos: rowsOf(this.#rotations.cos), sin: rowsOf(this.#rotations.sin) }
  }

  /** The adapter's matrices of one layer by `q_proj.A`, `q_proj.B`, …, out of its row. */
  layerMatrices(row_P: Tensor): Tensors {
    const slots = this.lora.slots.slice(0, this.lora.slots.length / this.architecture.layers)
    const parts = tf.split(
      row_P,
      slots.map(({ size }) => size),
    )
    const named = slots.map(
      ({ name, shape }, i) => [loraKey(name), tf.reshape(parts[i] as Tensor, [...shape])] as const,
    )
    return Object.fromEntries(named)
  }

  /** The frozen weights of one layer, as arguments of a function. */
  get layerSpecs(): Arguments {
    const kinds = Object.entries((this.stages[0] as LayerStage).weights)
    return Object.fromEntries(kinds.map(([kind, { shape, dtype }]) => [kind, { shape: shape.slice(1), dtype }]))
  }

  /**
   * A layer with the adapter of `row`; null for the bare base.
   *
   * @param weights  by kind; whatever else is in it is left alone
   */
  layer(weights: Tensors, row_P: Tensor | null, operations: LayerOperations): Layer {
    const adapter = row_P === null ? null : { matrices: this.layerMatrices(row_P), scale: this.scale }
    return { architecture: this.architecture, weights, adapter, operations }
  }
}
