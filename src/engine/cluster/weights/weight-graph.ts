import { dataTypeOf } from '../../functions.js'
import { type Attributes, attr, DataType, type GraphDef, nodeDef, proto } from '../../proto.js'
import { WEIGHTS_CONTAINER } from '../containers.js'
import type { KeptVariable, StoredPart, StoredType, WeightFile } from './kept-variable.js'

/** A device of a server, as in `/device:GPU:0`, and the variables that it keeps. */
export interface KeepingDevice {
  readonly device: string
  readonly variables: readonly KeptVariable[]
}

/** Node that says which variables there are: int32, 1 or 0 for each. */
export const PRESENT = 'present'
/** Node of the fingerprint of a file, eight bytes. */
export const fingerprintName = (file: number): string => `fingerprint/${file}`
/** Node that sets a variable from its files. */
export const loadName = (device: number, variable: number): string => `load/${device}/${variable}`

const HOST = '/device:CPU:0'
const TYPE: Readonly<Record<StoredType, { readonly type: DataType; readonly width: number }>> = {
  F32: { type: DataType.float32, width: 4 },
  F16: { type: DataType.float16, width: 2 },
  BF16: { type: DataType.bfloat16, width: 2 },
}
/** TensorFlow has one method. Texts in a tensor are their lengths, then their letters. */
const METHOD = Buffer.from(`${String.fromCharCode(10)}farmhash64`)

/**
 * The graph by which one server says which variables it has, and fingerprints files.
 * @param loads  whether it can also load the variables from them, which takes a dozen nodes for each part
 */
export function weightGraph(files: readonly WeightFile[], devices: readonly KeepingDevice[], loads: boolean): GraphDef {
  const graph = new GraphOfServer()
  files.forEach((file, index) => {
    graph.mapped(file, index)
  })
  const present = devices.flatMap(({ device, variables }, d) =>
    variables.map((variable, v) => {
      graph.variable(device, variable, `${d}/${v}`)
      if (loads) graph.load(device, variable, `${d}/${v}`)
      return graph.presence(device, `${d}/${v}`)
    }),
  )
  if (present.length > 0)
    graph.node(HOST, PRESENT, 'Pack', present, {
      ...{ N: attr.int(present.length), T: attr.type(DataType.int32), axis: attr.int(0) },
    })
  return graph.graph
}

class GraphOfServer {
  readonly graph = new proto.GraphDef()

  node(device: string, name: string, op: string, inputs: readonly string[], attributes: Attributes): string {
    const definition = nodeDef(name, op, inputs, attributes)
    definition.setDevice(device)
    this.graph.addNode(definition)
    return name
  }

  /** A file as bytes that are read when they are needed, and its fingerprint. */
  mapped({ path, bytes }: WeightFile, index: number): void {
    const type = attr.type(DataType.uint8)
    const file = this.node(HOST, `file/${index}`, 'ImmutableConst', [], {
      ...{ dtype: type, shape: attr.shape([bytes]), memory_region_name: attr.string(path) },
    })
    const name = fingerprintName(index)
    const whole = this.reshaped(HOST, `${name}/whole`, file, DataType.uint8, [1, bytes])
    const method = this.node(HOST, `${name}/method`, 'Const', [], {
      ...{ dtype: attr.type(DataType.string), value: attr.tensor(DataType.string, [], METHOD) },
    })
    this.node(HOST, name, 'Fingerprint', [whole, method], { T: type })
  }

  variable(device: string, variable: KeptVariable, id: string): void {
    this.node(device, `variable/${id}`, 'VarHandleOp', [], {
      ...{ dtype: attr.type(dataTypeOf(variable)), shape: attr.shape(variable.shape) },
      ...{ shared_name: attr.string(variable.keptAs), container: attr.string(WEIGHTS_CONTAINER) },
    })
  }

  /** Sets a variable. */
  load(device: string, variable: KeptVariable, id: string): void {
    const type = dataTypeOf(variable)
    const value = this.value(variable, `value/${id}`, type)
    const dtype = { dtype: attr.type(type) }
    const assign = this.node(device, `assign/${id}`, 'AssignVariableOp', [`variable/${id}`, value], dtype)
    const done = this.constant(`load/${id}/done`, DataType.int32, [], Int32Array.of(0))
    this.node(HOST, `load/${id}`, 'Identity', [done, `^${assign}`], { T: attr.type(DataType.int32) })
  }

  /** Whether a variable is there. @returns the node */
  presence(device: string, id: string): string {
    const there = this.node(device, `there/${id}`, 'VarIsInitializedOp', [`variable/${id}`], {})
    const [from, to] = [attr.type(DataType.bool), attr.type(DataType.int32)]
    return this.node(HOST, `present/${id}`, 'Cast', [there], { SrcT: from, DstT: to, Truncate: attr.bool(false) })
  }

  /** The value of a variable, in memory of its own: of the file nothing stays mapped. */
  value({ shape, parts }: KeptVariable, name: string, type: DataType): string {
    const values = parts.map((part, index) =>
      'zeros' in part ? this.zeros(`${name}/${index}`, part.zeros, type) : this.part(part, `${name}/${index}`, type),
    )
    const T = attr.type(type)
    if (values.length === 1) {
      const copy = this.node(HOST, `${name}/copy`, 'DeepCopy', [values[0] as string], { T })
      return this.reshaped(HOST, name, copy, type, shape)
    }
    const axis = this.constant(`${name}/axis`, DataType.int32, [], Int32Array.of(0))
    const joined = this.node(HOST, `${name}/joined`, 'ConcatV2', [...values, axis], {
      ...{ N: attr.int(values.length), T, Tidx: attr.type(DataType.int32) },
    })
    return this.reshaped(HOST, name, joined, type, shape)
  }

  part({ file, begin, bytes, type: stored }: StoredPart, name: string, wanted: DataType): string {
    const { type, width } = TYPE[stored]
    const [T, Index] = [attr.type(DataType.uint8), attr.type(DataType.int64)]
    const at = this.sizes(`${name}/at`, [begin])
    const size = this.sizes(`${name}/size`, [bytes])
    const slice = this.node(HOST, `${name}/bytes`, 'Slice', [`file/${file}`, at, size], { T, Index })
    const rows = this.reshaped(HOST, `${name}/rows`, slice, DataType.uint8, [bytes / width, width])
    const numbers = this.node(HOST, `${name}/numbers`, 'Bitcast', [rows], { T, type: attr.type(type) })
    if (type === wanted) return numbers
    // of a half, bfloat16 is made by way of f32, as the leader does
    if (wanted === DataType.float32) return this.cast(`${name}/wanted`, numbers, type, wanted)
    const floats = type === DataType.float32 ? numbers : this.cast(`${name}/floats`, numbers, type, DataType.float32)
    return this.cast(`${name}/wanted`, floats, DataType.float32, wanted)
  }

  zeros(name: string, count: number, type: DataType): string {
    const zero = this.constant(`${name}/zero`, DataType.float32, [], Float32Array.of(0))
    const value = type === DataType.float32 ? zero : this.cast(`${name}/typed`, zero, DataType.float32, type)
    const attributes = { T: attr.type(type), index_type: attr.type(DataType.int64) }
    return this.node(HOST, name, 'Fill', [this.sizes(`${name}/dims`, [count]), value], attributes)
  }

  cast(name: string, value: string, from: DataType, to: DataType): string {
    const attributes = { SrcT: attr.type(from), DstT: attr.type(to), Truncate: attr.bool(false) }
    return this.node(HOST, name, 'Cast', [value], attributes)
  }

  reshaped(device: string, name: string, value: string, type: DataType, shape: readonly number[]): string {
    const attributes = { T: attr.type(type), Tshape: attr.type(DataType.int64) }
    return this.node(device, name, 'Reshape', [value, this.sizes(`${name}/shape`, shape)], attributes)
  }

  sizes(name: string, values: readonly number[]): string {
    return this.constant(name, DataType.int64, [values.length], BigInt64Array.from(values.map(BigInt)))
  }

  constant(name: string, type: DataType, shape: readonly number[], values: NodeJS.TypedArray): string {
    const content = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    return this.node(HOST, name, 'Const', [], { dtype: attr.type(type), value: attr.tensor(type, shape, content) })
  }
}
