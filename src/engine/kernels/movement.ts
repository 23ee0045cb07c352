/** Kernels that move values without touching them. Those that take their operand `raw` keep bfloat16 as it is. */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-node-gpu'
import { attr, DataType } from '../proto.js'
import { tf } from '../tensorflow.js'
import { backend, typeOf } from '../tracing-backend.js'
import { dtypeOf, INT, type Kernel, typeAttr } from './kernel.js'

function reshaped(x: TensorInfo, shape: readonly number[]): TensorInfo {
  const { ref, type } = backend.raw(x)
  const attributes = { T: attr.type(type), Tshape: INT }
  const out = backend.op('Reshape', [ref, backend.recorder.ints(shape)], attributes, type)
  return backend.info(out, shape, dtypeOf(x), type)
}

export const reshape: Kernel = ({ x }, { shape }) => {
  const input = x as TensorInfo
  return reshaped(input, tf.util.inferFromImplicitShape(shape as number[], tf.util.sizeFromShape(input.shape)))
}

export const expandDims: Kernel = ({ input }, { dim }) => {
  const x = input as TensorInfo
  const shape = [...x.shape]
  const axis = dim as number
  shape.splice(axis < 0 ? shape.length + 1 + axis : axis, 0, 1)
  return reshaped(x, shape)
}

export const transpose: Kernel = ({ x }, { perm }) => {
  const input = x as TensorInfo
  const order = perm as number[]
  const { ref, type } = backend.raw(input)
  const attributes = { T: attr.type(type), Tperm: INT }
  const out = backend.op('Transpose', [ref, backend.recorder.ints(order)], attributes, type)
  const shape = order.map((axis) => input.shape[axis] as number)
  return backend.info(out, shape, dtypeOf(input), type)
}

export const gather: Kernel = (inputs, { axis, batchDims }) => {
  const [x, indices] = [inputs.x as TensorInfo, inputs.indices as TensorInfo]
  const { ref, type } = backend.raw(x)
  const at = axis as number
  const batch = attr.int((batchDims as number) ?? 0)
  const attributes = { Tparams: attr.type(type), Tindices: INT, Taxis: INT, batch_dims: batch }
  const out = backend.op('GatherV2', [ref, backend.ref(indices), backend.recorder.int(at)], attributes, type)
  return backend.info(out, [...x.shape.slice(0, at), ...indices.shape, ...x.shape.slice(at + 1)], dtypeOf(x), type)
}

export const slice: Kernel = ({ x }, { begin, size }) => {
  const input = x as TensorInfo
  const params = tf.slice_util.parseSliceParams(input as Tensor, begin as number[], size as number[])
  const [from, sizes] = params as [number[], number[]]
  const ints = [from, sizes].map((values) => backend.recorder.ints(values))
  const { ref, type } = backend.raw(input)
  const out = backend.op('Slice', [ref, ...ints], { T: attr.type(type), Index: INT }, type)
  return backend.info(out, sizes, dtypeOf(input), type)
}

export const reverse: Kernel = ({ x }, { dims }) => {
  const input = x as TensorInfo
  const { ref, type } = backend.raw(input)
  const axes = backend.recorder.ints(tf.util.parseAxisParam(dims as number | number[], input.shape))
  const out = backend.op('ReverseV2', [ref, axes], { T: attr.type(type), Tidx: INT }, type)
  return backend.info(out, input.shape, dtypeOf(input), type)
}

export const pad: Kernel = ({ x }, { paddings, constantValue }) => {
  const input = x as TensorInfo
  const pads = paddings as [number, number][]
  const table = backend.recorder.constant(DataType.int32, [pads.length, 2], Int32Array.from(pads.flat()))
  const fill = backend.recorder.float(constantValue as number)
  const attributes = { T: typeAttr('float32'), Tpaddings: INT }
  const ref = backend.op('PadV2', [backend.ref(input), table, fill], attributes, DataType.float32)
  const shape = input.shape.map((size, i) => size + (pads[i]?.[0] ?? 0) + (pads[i]?.[1] ?? 0))
  return backend.info(ref, shape, 'float32')
}

export const concat: Kernel = (inputs, { axis }) => {
  const tensors = Object.values(inputs)
  const first = tensors[0] as TensorInfo
  const at = tf.util.parseAxisParam(axis as number, first.shape)[0] as number
  const shape = [...first.shape]
  shape[at] = tensors.reduce((sum, t) => sum + (t.shape[at] as number), 0)
  const raw = tensors.map((t) => backend.raw(t))
  const low = raw.every(({ type }) => type === DataType.bfloat16)
  const type = low ? DataType.bfloat16 : typeOf(first.dtype)
  const attributes = { N: attr.int(tensors.length), T: attr.type(type), Tidx: INT }
  const refs = [...(low ? raw.map(({ ref }) => ref) : tensors.map((t) => backend.ref(t))), backend.recorder.int(at)]
  return backend.info(backend.op('ConcatV2', refs, attributes, type), shape, dtypeOf(first), type)
}

export const split: Kernel = ({ x }, { numOrSizeSplits, axis }) => {
  const input = x as TensorInfo
  const at = tf.util.parseAxisParam(axis as number, input.shape)[0] as number
  const sizes = tf.backend_util.prepareSplitSize(input as Tensor, numOrSizeSplits as number | number[], at)
  const { ref, type } = backend.raw(input)
  const attributes = { num_split: attr.int(sizes.length), T: attr.type(type), Tlen: INT }
  const operands = [ref, backend.recorder.ints(sizes), backend.recorder.int(at)]
  const types = sizes.map(() => type)
  return backend.recorder.node('SplitV', operands, attributes, types).map((out, i) => {
    const shape = input.shape.map((size, d) => (d === at ? (sizes[i] as number) : size))
    return backend.info(out, shape, dtypeOf(input), type)
  })
}

export const tile: Kernel = ({ x }, { reps }) => {
  const input = x as TensorInfo
  const times = reps as number[]
  const attributes = { T: typeAttr(input.dtype), Tmultiples: INT }
  const ref = backend.op('Tile', [backend.ref(input), backend.recorder.ints(times)], attributes, typeOf(input.dtype))
  const shape = input.shape.map((size, i) => size * (times[i] as number))
  return backend.info(ref, shape, dtypeOf(input))
}

export const broadcastTo: Kernel = ({ x }, { shape }) => {
  const input = x as TensorInfo
  const attributes = { T: typeAttr(input.dtype), Tidx: INT }
  const operands = [backend.ref(input), backend.recorder.ints(shape as number[])]
  const ref = backend.op('BroadcastTo', operands, attributes, typeOf(input.dtype))
  return backend.info(ref, shape as number[], dtypeOf(input))
}
