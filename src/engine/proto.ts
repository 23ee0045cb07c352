/** A small typed face of the protobuf classes that tfjs-node bundles (`dist/proto/api_pb.js`, a private path). */
import { createRequire } from 'node:module'

/** TensorFlow's DataType numbers (tensorflow/core/framework/types.proto). */
export const DataType = {
  float32: 1,
  float64: 2,
  int32: 3,
  uint8: 4,
  string: 7,
  int64: 9,
  bool: 10,
  bfloat16: 14,
  float16: 19,
  resource: 20,
  variant: 21,
} as const
export type DataType = (typeof DataType)[keyof typeof DataType]

// The generated classes have setters only; this is the part of them that is used.
interface ProtoMap<V> {
  set(key: string, value: V): unknown
}
export interface AttrValue {
  setType(v: number): void
  setB(v: boolean): void
  setI(v: number): void
  setF(v: number): void
  setS(v: Uint8Array): void
  setShape(v: TensorShape): void
  setList(v: ListValue): void
  setFunc(v: NameAttrList): void
  setTensor(v: TensorProto): void
}
interface TensorShape {
  addDim(v: Dim): void
}
interface Dim {
  setSize(v: number): void
}
interface ListValue {
  setTypeList(v: number[]): void
  setFuncList(v: NameAttrList[]): void
}
interface NameAttrList {
  setName(v: string): void
}
interface TensorProto {
  setDtype(v: number): void
  setTensorShape(v: TensorShape): void
  setTensorContent(v: Uint8Array): void
}
export interface NodeDef {
  setName(v: string): void
  setOp(v: string): void
  setDevice(v: string): void
  setInputList(v: string[]): void
  getAttrMap(): ProtoMap<AttrValue>
}
interface ArgDef {
  setName(v: string): void
  setType(v: number): void
}
interface OpDef {
  setName(v: string): void
  setIsStateful(v: boolean): void
  addInputArg(v: ArgDef): void
  addOutputArg(v: ArgDef): void
}
export interface FunctionDef {
  setSignature(v: OpDef): void
  addNodeDef(v: NodeDef): void
  getRetMap(): ProtoMap<string>
  getAttrMap(): ProtoMap<AttrValue>
}
interface FunctionDefLibrary {
  addFunction(v: FunctionDef): void
}
export interface GraphDef {
  addNode(v: NodeDef): void
  setLibrary(v: FunctionDefLibrary): void
  setVersions(v: VersionDef): void
  serializeBinary(): Uint8Array
}
interface VersionDef {
  setProducer(v: number): void
  setMinConsumer(v: number): void
}
interface MetaInfoDef {
  addTags(v: string): void
}
interface MetaGraphDef {
  setMetaInfoDef(v: MetaInfoDef): void
  setGraphDef(v: GraphDef): void
}
interface SavedModel {
  setSavedModelSchemaVersion(v: number): void
  addMetaGraphs(v: MetaGraphDef): void
  serializeBinary(): Uint8Array
}
interface Classes {
  AttrValue: { new (): AttrValue; ListValue: new () => ListValue }
  TensorShape: { new (): TensorShape; Dim: new () => Dim }
  NameAttrList: new () => NameAttrList
  Tensor: new () => TensorProto
  NodeDef: new () => NodeDef
  OpDef: { new (): OpDef; ArgDef: new () => ArgDef }
  FunctionDef: new () => FunctionDef
  FunctionDefLibrary: new () => FunctionDefLibrary
  GraphDef: new () => GraphDef
  VersionDef: new () => VersionDef
  MetaGraphDef: { new (): MetaGraphDef; MetaInfoDef: new () => MetaInfoDef }
  SavedModel: new () => SavedModel
}
export const proto = createRequire(import.meta.url)('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js') as Classes

function attribute(fill: (value: AttrValue) => void): AttrValue {
  const value = new proto.AttrValue()
  fill(value)
  return value
}

function tensorShape(shape: readonly number[]): TensorShape {
  const result = new proto.TensorShape()
  for (const size of shape) {
    const dim = new proto.TensorShape.Dim()
    dim.setSize(size)
    result.addDim(dim)
  }
  return result
}

function functionOf(name: string): NameAttrList {
  const list = new proto.NameAttrList()
  list.setName(name)
  return list
}

/** Makers of AttrValue messages. */
export const attr = {
  type: (v: DataType) => attribute((a) => a.setType(v)),
  bool: (v: boolean) => attribute((a) => a.setB(v)),
  int: (v: number) => attribute((a) => a.setI(v)),
  float: (v: number) => attribute((a) => a.setF(v)),
  string: (v: string) => attribute((a) => a.setS(Buffer.from(v))),
  shape: (v: readonly number[]) => attribute((a) => a.setShape(tensorShape(v))),
  types: (v: readonly DataType[]) =>
    attribute((a) => {
      const list = new proto.AttrValue.ListValue()
      list.setTypeList([...v])
      a.setList(list)
    }),
  func: (name: string) => attribute((a) => a.setFunc(functionOf(name))),
  funcs: (names: readonly string[]) =>
    attribute((a) => {
      const list = new proto.AttrValue.ListValue()
      list.setFuncList(names.map(functionOf))
      a.setList(list)
    }),
  tensor: (type: DataType, shape: readonly number[], content: Uint8Array) =>
    attribute((a) => {
      const tensor = new proto.Tensor()
      tensor.setDtype(type)
      tensor.setTensorShape(tensorShape(shape))
      tensor.setTensorContent(content)
      a.setTensor(tensor)
    }),
}

export type Attributes = Readonly<Record<string, AttrValue>>

export function nodeDef(name: string, op: string, inputs: readonly string[], attributes: Attributes): NodeDef {
  const node = new proto.NodeDef()
  node.setName(name)
  node.setOp(op)
  node.setInputList([...inputs])
  const map = node.getAttrMap()
  for (const [key, value] of Object.entries(attributes)) map.set(key, value)
  return node
}
