/**
 * Operations that tfjs lacks, and gradients that tfjs computes through values on the host: written again so that they
 * can be traced.
 */
import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { registerKernels } from './op-table.js'
import { tf } from './tensorflow.js'

registerKernels()

const runKernel = (name: string, inputs: Record<string, Tensor>, attrs: Record<string, unknown> = {}) =>
  tf.engine().runKernel(name, inputs, attrs as never) as unknown

/** Reads the bits of int32 values as float32. */
export const bitcastFloat = (x: Tensor): Tensor => runKernel('BitcastFloat', { x }) as Tensor

/**
 * A function with its gradient written out.
 *
 * @param forward   its value, and what the gradient needs of it
 * @param backward  the gradients of `inputs`, from dy and what was kept
 */
export function withGradient(
  inputs: readonly Tensor[],
  forward: (inputs: readonly Tensor[]) => { readonly value: Tensor; readonly kept: Tensor[] },
  backward: (dy: Tensor, kept: readonly Tensor[]) => Tensor[],
): Tensor {
  return tf.customGrad((...args) => {
    const save = args.at(-1) as unknown as (tensors: Tensor[]) => void
    const { value, kept } = forward(args.slice(0, -1) as Tensor[])
    save(kept)
    return { value, gradFunc: (dy: Tensor | Tensor[], saved: Tensor[]) => backward(dy as Tensor, saved) }
  })(...inputs)
}

const beside = (a: Tensor, b: Tensor): Tensor => runKernel('Beside', { a, b }) as Tensor

/**
 * x W^T + u B^T as one product, [x u] [W B]^T: what a narrow update adds to a wide product costs little more than its
 * share, where a product of its own would be bound by memory. W has no gradient.
 *
 * @param x_NI  and u_NR: f32
 * @param w_OI  frozen, in the type of the matrix products
 * @param b_OR  f32
 */
export function updatedProduct(x_NI: Tensor, u_NR: Tensor, w_OI: Tensor, b_OR: Tensor): Tensor {
  const [I, R] = [x_NI.shape[1] as number, u_NR.shape[1] as number]
  return withGradient(
    [x_NI, u_NR, b_OR],
    (inputs) => {
      const [x, u, b] = inputs as [Tensor, Tensor, Tensor]
      const weights = beside(w_OI, b)
      return { value: tf.matMul(beside(x, u), weights, false, true), kept: [u, weights] }
    },
    (dy, kept) => {
      const [u, weights] = kept as [Tensor, Tensor]
      const [dx, du] = tf.split(tf.matMul(dy, weights), [I, R], 1) as [Tensor, Tensor]
      return [dx, du, tf.matMul(dy, u, true)]
    },
  )
}

export const broadcastTo = (x: Tensor, shape: readonly number[]): Tensor =>
  runKernel('BroadcastTo', { x }, { shape: [...shape] }) as Tensor

/** The integers 0 … size−1, as int32[size], made on the device. */
export const indices = (size: number): Tensor =>
  runKernel('Range', {}, { start: 0, stop: size, step: 1, dtype: 'int32' }) as Tensor

/** Uniform in [0, 1), a pure function of `seed` (int32[2]). */
export const statelessUniform = (shape: readonly number[], seed: Tensor): Tensor =>
  runKernel('StatelessUniform', { seed }, { shape: [...shape] }) as Tensor

/**
 * @param logits f32[rows, classes]
 * @param labels int32[rows]
 * @returns −log softmax(logits)[label] as f32[rows], and its gradient f32[rows, classes] with respect to the logits
 */
export function sparseCrossEntropy(logits: Tensor, labels: Tensor): [loss: Tensor, gradient: Tensor] {
  return runKernel('SparseCrossEntropy', { logits, labels }) as [Tensor, Tensor]
}

/** dy of a reduction, spread over the shape of its input. */
function spread(dy: Tensor, shape: readonly number[], axis: number | number[]): Tensor {
  const axes = tf.util.parseAxisParam(axis, [...shape])
  return broadcastTo(
    tf.reshape(
      dy,
      shape.map((size, i) => (axes.includes(i) ? 1 : size)),
    ),
    shape,
  )
}

tf.registerGradient({
  kernelName: 'Sum',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const x = saved[0] as Tensor
    return { x: () => spread(dy as Tensor, x.shape, attrs.axis as number | number[]) }
  },
})
tf.registerGradient({
  kernelName: 'Mean',
  inputsToSave: ['x'],
  gradFunc: (dy, saved, attrs) => {
    const x = saved[0] as Tensor
    const axes = tf.util.parseAxisParam(attrs.axis as number | number[], x.shape)
    const count = axes.reduce((product, axis) => product * (x.shape[axis] as number), 1)
    return { x: () => tf.mul(spread(dy as Tensor, x.shape, axes), 1 / count) }
  },
})
// d x^(-1/2) = -1/2 x^(-3/2), from the output alone
tf.registerGradient({
  kernelName: 'Rsqrt',
  outputsToSave: [true],
  gradFunc: (dy, saved) => {
    const y = saved[0] as Tensor
    return { x: () => tf.mul(dy as Tensor, tf.mul(tf.mul(y, tf.square(y)), -0.5)) }
  },
})
tf.registerGradient({
  kernelName: 'BroadcastTo',
  inputsToSave: ['x'],
  gradFunc: (dy, saved) => {
    const [x, d] = [saved[0] as Tensor, dy as Tensor]
    const axes = tf.backend_util.getReductionAxes(x.shape, d.shape)
    return { x: () => tf.reshape(tf.sum(d, axes, true), x.shape) }
  },
})
