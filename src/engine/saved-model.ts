import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataTypeOf, type FunctionLibrary, OPTIMISED } from './functions.js'
import type { Program, Variable } from './program.js'
import { type Attributes, attr, DataType, type GraphDef, nodeDef, proto } from './proto.js'

export type Executor = 'graph' | 'xla'

const BYTES = { float32: 4, bfloat16: 2 } as const

/** Name of the placeholder of a program's input, and of the node that runs the program. */
export const feedName = (program: string, input: string): string => `feed/${program}/${input}`
export const callName = (program: string): string => `call/${program}`
/** Nodes that read and write a variable from the host. Written values are fed as raw bytes. */
export const readName = (variable: string): string => `read/${variable}`
export const writeName = (variable: string): string => `write/${variable}`
export const writeFeedName = (variable: string): string => `write_feed/${variable}`

/** Shape of the bytes (uint8) that set a variable. */
export const byteShape = (variable: Variable): number[] => [...variable.shape, BYTES[variable.dtype]]

/**
 * Writes the SavedModel that holds all programs and the variables they share. A session owns its variables and cannot
 * be extended later, so everything must be in this one.
 */
export function writeSavedModel(
  directory: string,
  library: FunctionLibrary,
  variables: readonly Variable[],
  programs: readonly Program[],
  executor: Executor,
): void {
  const graph = new proto.GraphDef()
  const node: AddNode = (name, op, inputs, attributes) => graph.addNode(nodeDef(name, op, inputs, attributes))
  for (const variable of variables) addVariable(node, variable)
  for (const program of programs) addProgram(node, program, executor)

  const functions = new proto.FunctionDefLibrary()
  for (const definition of library.definitions) functions.addFunction(definition)
  graph.setLibrary(functions)
  writeGraph(directory, graph)
}

/** Writes a graph as a SavedModel of which nothing but a session is made. */
export function writeGraph(directory: string, graph: GraphDef): void {
  const versions = new proto.VersionDef()
  versions.setProducer(1882)
  versions.setMinConsumer(0)
  graph.setVersions(versions)
  const info = new proto.MetaGraphDef.MetaInfoDef()
  info.addTags('serve')
  const meta = new proto.MetaGraphDef()
  meta.setMetaInfoDef(info)
  meta.setGraphDef(graph)
  const model = new proto.SavedModel()
  model.setSavedModelSchemaVersion(1)
  model.addMetaGraphs(meta)
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, 'saved_model.pb'), model.serializeBinary())
}

type AddNode = (name: string, op: string, inputs: readonly string[], attributes: Attributes) => void

/** A variable, and the nodes that read and write it from the host. */
function addVariable(node: AddNode, variable: Variable): void {
  const { name, shape } = variable
  const type = dataTypeOf(variable)
  const handle = `variable/${name}`
  const shared = { shared_name: attr.string(name), container: attr.string('') }
  node(handle, 'VarHandleOp', [], { dtype: attr.type(type), shape: attr.shape(shape), ...shared })
  node(`value/${name}`, 'ReadVariableOp', [handle], { dtype: attr.type(type) })
  if (type === DataType.bfloat16) {
    const cast = { SrcT: attr.type(type), DstT: attr.type(DataType.float32), Truncate: attr.bool(false) }
    node(readName(name), 'Cast', [`value/${name}`], cast)
  } else node(readName(name), 'Identity', [`value/${name}`], { T: attr.type(type) })
  const bytes = { dtype: attr.type(DataType.uint8), shape: attr.shape(byteShape(variable)) }
  node(writeFeedName(name), 'Placeholder', [], bytes)
  node(`bits/${name}`, 'Bitcast', [writeFeedName(name)], { T: attr.type(DataType.uint8), type: attr.type(type) })
  node(`assign/${name}`, 'AssignVariableOp', [handle, `bits/${name}`], { dtype: attr.type(type) })
  const done = attr.tensor(DataType.int32, [], new Uint8Array(4))
  node(`done/${name}`, 'Const', [], { dtype: attr.type(DataType.int32), value: done })
  node(writeName(name), 'Identity', [`done/${name}`, `^assign/${name}`], { T: attr.type(DataType.int32) })
}

/** The placeholders of a program's inputs, and its call. */
function addProgram(node: AddNode, program: Program, executor: Executor): void {
  const inputs = Object.entries(program.inputs)
  for (const [input, { shape }] of inputs)
    node(feedName(program.name, input), 'Placeholder', [], {
      dtype: attr.type(DataType.int32),
      shape: attr.shape(shape),
    })
  const operands = [
    ...inputs.map(([input]) => feedName(program.name, input)),
    ...program.variables.map((variable) => `variable/${variable.name}`),
  ]
  const types = [...inputs.map(() => DataType.int32), ...program.variables.map(() => DataType.resource)]
  const none = attr.string('')
  node(callName(program.name), 'StatefulPartitionedCall', operands, {
    Tin: attr.types(types),
    Tout: attr.types(program.outputs.map((o) => (o.dtype === 'int32' ? DataType.int32 : DataType.float32))),
    f: attr.func(program.name),
    config: none,
    config_proto: OPTIMISED,
    executor_type: none,
    ...(executor === 'xla' ? { _XlaMustCompile: attr.bool(true) } : {}),
  })
}
