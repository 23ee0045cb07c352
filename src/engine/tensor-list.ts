/** TensorFlow's lists of tensors, indexed by the round `i` of the loop under trace. They hold references and copy nothing. */
import type { Residual } from './differentiable.js'
import { attr, DataType } from './proto.js'
import type { Ref } from './recorder.js'
import { backend } from './tracing-backend.js'

const { int32, variant } = DataType

/** The shape of a list's elements as its operations take it; −1 if it is unknown. */
const elementShape = ({ shape }: Residual): Ref =>
  shape === null ? backend.recorder.int(-1) : backend.recorder.ints(shape)

/** A list of so many empty elements. */
export function reserve(size: number, element: Residual): Ref {
  const attributes = { element_dtype: attr.type(element.type), shape_type: attr.type(int32) }
  return backend.op('TensorListReserve', [elementShape(element), backend.recorder.int(size)], attributes, variant)
}

/** The list with its element `i` set. */
export function setItem(list: Ref, item: Ref, type: DataType): Ref {
  const attributes = { element_dtype: attr.type(type), resize_if_index_out_of_bounds: attr.bool(false) }
  return backend.op('TensorListSetItem', [list, 'i', item], attributes, variant)
}

/** Element `i` of the list. */
export function getItem(list: Ref, element: Residual): Ref {
  const attributes = { element_dtype: attr.type(element.type) }
  return backend.op('TensorListGetItem', [list, 'i', elementShape(element)], attributes, element.type)
}

/** The list's elements along a new first axis. */
export function stackOf(list: Ref, size: number, element: Residual): Ref {
  const attributes = { element_dtype: attr.type(element.type), num_elements: attr.int(size) }
  return backend.op('TensorListStack', [list, elementShape(element)], attributes, element.type)
}

/** The list of the entries along a first axis. */
export function listOf(stack: Ref, element: Residual): Ref {
  const attributes = { element_dtype: attr.type(element.type), shape_type: attr.type(int32) }
  return backend.op('TensorListFromTensor', [stack, elementShape(element)], attributes, variant)
}
