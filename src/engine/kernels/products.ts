import type { TensorInfo } from '@tensorflow/tfjs-node-gpu'
import { attr, DataType } from '../proto.js'
import { backend } from '../tracing-backend.js'
import { broadcastShape, INT, type Kernel, typeAttr } from './kernel.js'

/** Operands of matrix products, in the type that they run in. */
function inProductType(tensors: readonly TensorInfo[]) {
  const low = backend.matmulType === 'bf16'
  return {
    type: low ? DataType.bfloat16 : DataType.float32,
    refs: tensors.map((tensor) => (low ? backend.refBfloat16(tensor) : backend.ref(tensor))),
  }
}

export const batchMatMul: Kernel = (inputs, attrs) => {
  const [a, b] = [inputs.a as TensorInfo, inputs.b as TensorInfo]
  const [transposeA, transposeB] = [attrs.transposeA === true, attrs.transposeB === true]
  const rows = a.shape.at(transposeA ? -1 : -2) as number
  const columns = b.shape.at(transposeB ? -2 : -1) as number
  const shape = [...broadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2)), rows, columns]
  const { type, refs } = inProductType([a, b])
  const attributes = { T: attr.type(type), adj_x: attr.bool(transposeA), adj_y: attr.bool(transposeB) }
  return backend.info(backend.op('BatchMatMulV2', refs, attributes, type), shape, 'float32', type)
}

/** Matrices side by side, in the type of matrix products. */
export const beside: Kernel = (inputs) => {
  const [a, b] = [inputs.a as TensorInfo, inputs.b as TensorInfo]
  const { type, refs } = inProductType([a, b])
  const attributes = { N: attr.int(2), T: attr.type(type), Tidx: INT }
  const ref = backend.op('ConcatV2', [...refs, backend.recorder.int(1)], attributes, type)
  return backend.info(ref, [a.shape[0] as number, (a.shape[1] as number) + (b.shape[1] as number)], 'float32', type)
}

export const softmax: Kernel = ({ logits }) => {
  const x = logits as TensorInfo
  const ref = backend.op('Softmax', [backend.ref(x)], { T: typeAttr('float32') }, DataType.float32)
  return backend.info(ref, x.shape, 'float32')
}

/** Cross-entropy of each row and its gradient with respect to the logits, in one pass. */
export const sparseCrossEntropy: Kernel = (inputs) => {
  const [logits, labels] = [inputs.logits as TensorInfo, inputs.labels as TensorInfo]
  const attributes = { T: typeAttr('float32'), Tlabels: INT }
  const operands = [backend.ref(logits), backend.ref(labels)]
  const types = [DataType.float32, DataType.float32]
  const refs = backend.recorder.node('SparseSoftmaxCrossEntropyWithLogits', operands, attributes, types)
  const [loss, gradient] = refs as [string, string]
  return [backend.info(loss, labels.shape, 'float32'), backend.info(gradient, logits.shape, 'float32')]
}
