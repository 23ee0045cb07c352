import type { TensorInfo } from '@tensorflow/tfjs-node-gpu'
import { attr, DataType } from '../proto.js'
import { backend, type TraceDtype, typeOf } from '../tracing-backend.js'
import { broadcastShape, dtypeOf, INT, type Kernel, type KernelInputs, typeAttr } from './kernel.js'

/** One input, and one output of the same shape and type. */
export const unary =
  (op: string): Kernel =>
  (inputs) => {
    const x = inputs.x as TensorInfo
    const ref = backend.op(op, [backend.ref(x)], { T: typeAttr(x.dtype) }, typeOf(x.dtype))
    return backend.info(ref, x.shape, dtypeOf(x))
  }

/** Two inputs of one type that broadcast against each other. @param result  type of the output, if another */
export const binary =
  (op: string, result?: TraceDtype): Kernel =>
  (inputs) => {
    const [a, b] = [inputs.a as TensorInfo, inputs.b as TensorInfo]
    const dtype = result ?? dtypeOf(a)
    const ref = backend.op(op, [backend.ref(a), backend.ref(b)], { T: typeAttr(a.dtype) }, typeOf(dtype))
    return backend.info(ref, broadcastShape(a.shape, b.shape), dtype)
  }

export const finite: Kernel = ({ x }) => {
  const input = x as TensorInfo
  const ref = backend.op('IsFinite', [backend.ref(input)], { T: typeAttr(input.dtype) }, DataType.bool)
  return backend.info(ref, input.shape, 'bool')
}

export const logicalNot: Kernel = ({ x }) => {
  const input = x as TensorInfo
  return backend.info(backend.op('LogicalNot', [backend.ref(input)], {}, DataType.bool), input.shape, 'bool')
}

export const logicalAnd: Kernel = (inputs) => {
  const [a, b] = [inputs.a as TensorInfo, inputs.b as TensorInfo]
  const ref = backend.op('LogicalAnd', [backend.ref(a), backend.ref(b)], {}, DataType.bool)
  return backend.info(ref, broadcastShape(a.shape, b.shape), 'bool')
}

export const addN: Kernel = (inputs) => {
  const tensors = Object.values(inputs)
  const first = tensors[0] as TensorInfo
  const refs = tensors.map((tensor) => backend.ref(tensor))
  const attributes = { N: attr.int(tensors.length), T: typeAttr(first.dtype) }
  return backend.info(backend.op('AddN', refs, attributes, typeOf(first.dtype)), first.shape, dtypeOf(first))
}

/** The same value under another tensor: nothing is appended. */
function alias(x: TensorInfo): TensorInfo {
  backend.incRef(x.dataId)
  return { dataId: x.dataId, shape: x.shape, dtype: x.dtype }
}

export const identity: Kernel = ({ x }) => alias(x as TensorInfo)

export const cast: Kernel = ({ x }, { dtype }) => {
  const input = x as TensorInfo
  if (dtype === input.dtype) return alias(input)
  const to = dtype as TraceDtype
  return backend.info(backend.castRef(backend.ref(input), typeOf(input.dtype), typeOf(to)), input.shape, to)
}

/** Bits of an int32 tensor read as float32. */
export const bitcastFloat: Kernel = ({ x }) => {
  const input = x as TensorInfo
  const attributes = { T: INT, type: attr.type(DataType.float32) }
  return backend.info(backend.op('Bitcast', [backend.ref(input)], attributes, DataType.float32), input.shape, 'float32')
}

export const select: Kernel = (inputs: KernelInputs) => {
  const [condition, t, e] = [inputs.condition as TensorInfo, inputs.t as TensorInfo, inputs.e as TensorInfo]
  const refs = [condition, t, e].map((x) => backend.ref(x))
  const ref = backend.op('SelectV2', refs, { T: typeAttr(t.dtype) }, typeOf(t.dtype))
  return backend.info(ref, broadcastShape(broadcastShape(condition.shape, t.shape), e.shape), dtypeOf(t))
}
