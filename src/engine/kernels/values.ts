import type { TensorInfo } from '@tensorflow/tfjs-node-gpu'
import { attr, DataType } from '../proto.js'
import { backend, type TraceDtype, typeOf } from '../tracing-backend.js'
import { INT, type Kernel, typeAttr } from './kernel.js'

export const oneHot: Kernel = ({ indices }, { depth, onValue, offValue }) => {
  const x = indices as TensorInfo
  const { recorder } = backend
  const attributes = { T: typeAttr('float32'), TI: INT, axis: attr.int(-1) }
  const [size, on, off] = [depth as number, onValue as number, offValue as number]
  const operands = [backend.ref(x), recorder.int(size), recorder.float(on), recorder.float(off)]
  const ref = backend.op('OneHot', operands, attributes, DataType.float32)
  return backend.info(ref, [...x.shape, size], 'float32')
}

export const range: Kernel = (_, { start, stop, step, dtype }) => {
  const [from, to, by] = [start as number, stop as number, (step as number) ?? 1]
  const constant = (value: number) => (dtype === 'int32' ? backend.recorder.int(value) : backend.recorder.float(value))
  const type = typeOf(dtype as string)
  const ref = backend.op('Range', [constant(from), constant(to), constant(by)], { Tidx: attr.type(type) }, type)
  return backend.info(ref, [Math.max(0, Math.ceil((to - from) / by))], dtype as TraceDtype)
}

/** Uniform numbers in [0, 1) that depend on the seed (int32[2]) alone. */
export const statelessUniform: Kernel = ({ seed }, { shape }) => {
  const attributes = { dtype: typeAttr('float32'), T: INT, Tseed: INT }
  const operands = [backend.recorder.ints(shape as number[]), backend.ref(seed as TensorInfo)]
  const ref = backend.op('StatelessRandomUniform', operands, attributes, DataType.float32)
  return backend.info(ref, shape as number[], 'float32')
}
