import type { TensorInfo } from '@tensorflow/tfjs-node-gpu'
import { attr, DataType } from '../proto.js'
import { tf } from '../tensorflow.js'
import { type TraceDtype, typeOf } from '../tracing-backend.js'

export type KernelInputs = Readonly<Record<string, TensorInfo>>
export type KernelAttributes = Readonly<Record<string, unknown>>

/** What tfjs calls for one of its operations: appends TensorFlow's operation of the same meaning. */
export type Kernel = (inputs: KernelInputs, attributes: KernelAttributes) => TensorInfo | TensorInfo[]

/** A type as an attribute. */
export const typeAttr = (dtype: string) => attr.type(typeOf(dtype))
export const INT = attr.type(DataType.int32)

export const dtypeOf = (tensor: TensorInfo): TraceDtype => tensor.dtype as TraceDtype

export const broadcastShape = (a: readonly number[], b: readonly number[]): number[] =>
  tf.backend_util.assertAndGetBroadcastShape([...a], [...b])
