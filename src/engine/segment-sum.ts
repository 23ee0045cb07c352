/** Gathering rows along the first axis and adding up those of one segment: each is the gradient of the other. */
import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { broadcastTo, indices } from './ops.js'
import { tf, usesGpu } from './tensorflow.js'
import { backend } from './tracing-backend.js'

/** Up to so many segments, each reads all rows and takes its own. */
const FEW = 64

/** Sums the rows of x[n, …] that have the same segment id (int32[n]) into [segments, …]. */
export const segmentSum = (x: Tensor, segmentIds: Tensor, segments: number): Tensor =>
  usesGpu()
    ? orderedSegmentSum(x, segmentIds, segments)
    : (tf.engine().runKernel('UnsortedSegmentSum', { x, segmentIds }, { numSegments: segments }) as unknown as Tensor)

/**
 * The same without a scatter. A GPU adds scattered rows in any order; if the same bits are asked for, XLA adds them one
 * after the other, each with kernels of its own (docs/adr/002-engine.md).
 *
 * Up to 64 segments, a row that is not finite reaches its own segment alone; beyond, all of them.
 */
export function orderedSegmentSum(x: Tensor, segmentIds: Tensor, segments: number): Tensor {
  const [n, ...rest] = x.shape as [number, ...number[]]
  const width = rest.reduce((a, b) => a * b, 1)
  const rows = tf.reshape(x, [n, width])
  // integers are compared in the host's memory
  const float = (ids: Tensor, shape: [number, number]) => tf.reshape(tf.cast(ids, 'float32'), shape)
  const isOwn = tf.equal(float(indices(segments), [segments, 1]), float(segmentIds, [1, n]))
  return tf.reshape(segments <= FEW ? selected(isOwn, rows) : multiplied(isOwn, rows), [segments, ...rest])
}

function selected(isOwn_SN: Tensor, rows_NW: Tensor): Tensor {
  const [S, N, W] = [...isOwn_SN.shape, rows_NW.shape[1]] as [number, number, number]
  const spread = (each: Tensor, shape: [number, number, number]) => broadcastTo(tf.reshape(each, shape), [S, N, W])
  const own = tf.where(
    spread(isOwn_SN, [S, N, 1]),
    spread(rows_NW, [1, N, W]),
    broadcastTo(tf.reshape(tf.scalar(0), [1, 1, 1]), [S, N, W]),
  )
  return tf.sum(own, 1)
}

/** In f32, where it is exact but for the sums: each product is one of a number and 1 or 0. */
const multiplied = (isOwn_SN: Tensor, rows_NW: Tensor): Tensor =>
  backend.withMatmul('f32', () => tf.matMul(tf.cast(isOwn_SN, 'float32'), rows_NW))

tf.registerGradient({
  kernelName: 'GatherV2',
  inputsToSave: ['x', 'indices'],
  gradFunc: (dy, saved) => {
    const [x, index] = [saved[0] as Tensor, saved[1] as Tensor]
    return {
      // repeated rows add up
      x: () => segmentSum(dy as Tensor, index, x.shape[0] as number),
      indices: () => index,
    }
  },
})
tf.registerGradient({
  kernelName: 'UnsortedSegmentSum',
  inputsToSave: ['segmentIds'],
  gradFunc: (dy, saved) => ({ x: () => tf.gather(dy as Tensor, saved[0] as Tensor) }),
})
