import type { TensorInfo } from '@tensorflow/tfjs-node-gpu'
import { attr, DataType } from '../proto.js'
import { tf } from '../tensorflow.js'
import { backend, typeOf } from '../tracing-backend.js'
import { dtypeOf, INT, type Kernel, typeAttr } from './kernel.js'

function reduction(shape: readonly number[], axis: number | number[] | undefined, keepDims: boolean) {
  const axes = tf.util.parseAxisParam(axis ?? shape.map((_, i) => i), [...shape])
  const kept = shape.map((size, i) => (axes.includes(i) ? 1 : size))
  return { axes, shape: keepDims ? kept : shape.filter((_, i) => !axes.includes(i)) }
}

/** Sum, Mean, Max or Min over axes. */
export const reduce =
  (op: string): Kernel =>
  (inputs, attrs) => {
    const x = inputs.x as TensorInfo
    const keepDims = attrs.keepDims === true
    const { axes, shape } = reduction(x.shape, (attrs.axis ?? attrs.reductionIndices) as number | number[], keepDims)
    const attributes = { T: typeAttr(x.dtype), Tidx: INT, keep_dims: attr.bool(keepDims) }
    const ref = backend.op(op, [backend.ref(x), backend.recorder.ints(axes)], attributes, typeOf(x.dtype))
    return backend.info(ref, shape, dtypeOf(x))
  }

export const all: Kernel = ({ x }, { axis, keepDims }) => {
  const input = x as TensorInfo
  const { axes, shape } = reduction(input.shape, axis as number | number[] | undefined, keepDims === true)
  const attributes = { Tidx: INT, keep_dims: attr.bool(keepDims === true) }
  const operands = [backend.ref(input), backend.recorder.ints(axes)]
  return backend.info(backend.op('All', operands, attributes, DataType.bool), shape, 'bool')
}

export const argMax: Kernel = ({ x }, { axis }) => {
  const input = x as TensorInfo
  const attributes = { T: typeAttr(input.dtype), Tidx: INT, output_type: INT }
  const at = tf.util.parseAxisParam(axis as number, input.shape)[0] as number
  const ref = backend.op('ArgMax', [backend.ref(input), backend.recorder.int(at)], attributes, DataType.int32)
  const shape = input.shape.filter((_, i) => i !== at)
  return backend.info(ref, shape, 'int32')
}

/**
 * Sums of single numbers are taken in f64: the kernel adds one after the other, which over a completion of 500 tokens
 * loses more digits of a summed log-probability than everything before it.
 */
export const unsortedSegmentSum: Kernel = ({ x, segmentIds }, { numSegments }) => {
  const [input, ids] = [x as TensorInfo, segmentIds as TensorInfo]
  const wide = input.shape.length === 1 && input.dtype === 'float32'
  const type = wide ? DataType.float64 : typeOf(input.dtype)
  const values = wide ? backend.castRef(backend.ref(input), DataType.float32, type) : backend.ref(input)
  const operands = [values, backend.ref(ids), backend.recorder.int(numSegments as number)]
  const attributes = { T: attr.type(type), Tindices: INT, Tnumsegments: INT }
  const sums = backend.op('UnsortedSegmentSum', operands, attributes, type)
  const shape = [numSegments as number, ...input.shape.slice(ids.shape.length)]
  return backend.info(wide ? backend.castRef(sums, type, DataType.float32) : sums, shape, dtypeOf(input))
}
