import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import {
  type ArgumentSpec,
  defineCompiled,
  defineCompiledWithGradient,
  type FunctionLibrary,
  tf,
  withGradient,
} from '../engine/index.js'
import type { Architecture } from './architecture.js'
import { type LayerOperations, rmsNorm, rotated, swiglu } from './layer.js'
import { type PackedShape, shapeName } from './packed-shape.js'
import { type ModelDtype, productType } from './parameters.js'

/** What of a model its layers' operations depend on. */
export interface LayerSpec {
  readonly architecture: Architecture
  readonly dtype: ModelDtype
  /** Shapes and types of one layer's weights. */
  readonly layerSpecs: Readonly<Record<string, ArgumentSpec>>
}

/** A layer's operations over the tokens of a packed batch, each compiled into few passes over memory. */
export function packedOperations(library: FunctionLibrary, model: LayerSpec, shape: PackedShape): LayerOperations {
  const { architecture, layerSpecs } = model
  const { hiddenSize: D, intermediateSize: F, heads: H, kvHeads: G, headDim: E, rmsNormEps } = architecture
  const N = shape.tokens
  const product = productType(model.dtype)
  const named = (operation: string) => `${operation}_${shapeName(shape)}`
  const float = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'float32' as const })

  const norm = defineCompiledWithGradient(
    library,
    named('norm'),
    { x: float(N, D), fixed: { gain: layerSpecs.input_norm as ArgumentSpec }, output: product },
    (x, { gain }) => rmsNorm(x, gain as Tensor, rmsNormEps),
  )

  const angles = float(N, 1, E / 2)
  const normalised = layerSpecs.q_norm !== undefined
  const rotation = defineCompiledWithGradient(
    library,
    named('rotated'),
    {
      x: { shape: [N, (H + G) * E], dtype: product },
      fixed: { cos: angles, sin: angles, ...(normalised ? { gains: float(H + G, E) } : {}) },
      output: product,
    },
    (qk, { cos, sin, gains }) => rotated(qk, cos as Tensor, sin as Tensor, gains ?? null, architecture),
  )

  const gateUp = { shape: [N, 2 * F], dtype: product } as const
  const value = defineCompiled(library, named('swiglu'), { gateUp }, { y: product }, (args) => ({
    y: swiglu(args.gateUp as Tensor),
  }))
  // the gradient of each half is written by itself: XLA joins the halves with a branch for each element
  const gradient = defineCompiled(
    library,
    named('swiglu_gradient'),
    { gateUp, dy: { shape: [N, F], dtype: product } },
    { gate: product, up: product },
    (args) => {
      const [gate, up] = tf.split(args.gateUp as Tensor, 2, 1) as [Tensor, Tensor]
      const sigmoid = tf.sigmoid(gate)
      const silu = tf.mul(gate, sigmoid)
      const slope = tf.add(sigmoid, tf.mul(silu, tf.sub(1, sigmoid)))
      return { gate: tf.mul(tf.mul(args.dy as Tensor, up), slope), up: tf.mul(args.dy as Tensor, silu) }
    },
  )

  return {
    norm: (x, gain) => norm(x, { gain }),
    rotated: (qk, cos, sin, gains) => rotation(qk, { cos, sin, ...(gains === null ? {} : { gains }) }),
    swiglu: (input) =>
      withGradient(
        [input],
        ([x]) => ({ value: value({ gateUp: x as Tensor }).y, kept: [x as Tensor] }),
        (dy, [x]) => {
          const { gate, up } = gradient({ gateUp: x as Tensor, dy })
          return [tf.concat([gate, up], 1)]
        },
      ),
  }
}
