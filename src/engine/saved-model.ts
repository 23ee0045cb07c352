import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { dataTypeOf, OPTIMISED } from './functions.js'
import { atPlace, devicesOf, Placement, type Places } from './places.js'
import type { Program, Variable } from './program.js'
import type { ProgramCall } from './program-calls.js'
import { type Attributes, attr, DataType, type FunctionDef, type GraphDef, nodeDef, proto } from './proto.js'
import { resourceName } from './resource-name.js'
import { stageOf } from './variable.js'

export type Executor = 'graph' | 'xla'

const BYTES = { float32: 4, bfloat16: 2 } as const

/** Name of the placeholder of a program's input, and of the node that runs the program. */
export const feedName = (program: string, input: string): string => `feed/${program}/${input}`
export const callName = (program: string): string => `call/${program}`
/** The node of a call of a program. */
const callNode = ({ name, calls }: Program, call: number): string =>
  calls.length === 1 ? callName(name) : `${callName(name)}/${call}`
const outputNode = ({ name }: Program, index: number): string => `${callName(name)}/output_${index}`
/** What is fetched to run a program: its outputs, in their order. */
export const fetchNames = (program: Program): readonly string[] =>
  program.outputs.map(({ source }, index) =>
    program.calls.length === 1 ? `${callNode(program, 0)}:${source.result}` : `${outputNode(program, index)}:0`,
  )
/** Nodes that read and write a variable from the host. Written values are fed as raw bytes. */
export const readName = (variable: string): string => `read/${variable}`
export const writeName = (variable: string): string => `write/${variable}`
export const writeFeedName = (variable: string): string => `write_feed/${variable}`
/** Node that adds what is fed to a variable at the first place. */
export const addFedName = (variable: string): string => `add_fed/${variable}`
/** Nodes of another place that add its value of a variable to the first's, and copy the first's there. */
export const addName = (variable: string): string => `add/${variable}`
export const copyName = (variable: string): string => `copy/${variable}`

/** Node that frees what programs have written at this process, if it is a server and would keep it. */
export const FREE = 'free'

/** Shape of the bytes (uint8) that set a variable. */
export const byteShape = (variable: Variable): number[] => [...variable.shape, BYTES[variable.dtype]]

/**
 * Writes the SavedModel that holds the variables of a session and the programs that it begins with. A session owns its
 * variables, so all must be in this one; programs can be added later (`serializeProgram`).
 */
export function writeSavedModel(
  directory: string,
  functions: readonly FunctionDef[],
  variables: readonly Variable[],
  programs: readonly Program[],
  executor: Executor,
  places: Places,
): void {
  const graph = new proto.GraphDef()
  const devices = devicesOf(places)
  const node = nodesOf(graph, devices)
  const placement = new Placement(places, programs)
  const held = (place: number) => variables.filter(({ name }) => placement.holder(name, place) === place)
  devices.forEach((present, place) => {
    if (present === null) return
    for (const variable of held(place)) addVariable(atStage(node, stageOf(variable)), place, variable, places)
    for (const program of programs)
      if (placement.runner(program.name, place) === place) addProgram(node, place, program, executor, placement)
  })
  if (places.generation !== undefined) {
    const state = devices.flatMap((present, place) =>
      present === null ? [] : held(place).map((variable) => ({ place, variable })),
    )
    const isHere = (place: number, stage: number) => devices[place]?.[stage]?.includes('/task:0/')
    addFree(
      node,
      state.filter(({ place, variable }) => !variable.keptAs && isHere(place, stageOf(variable))),
    )
  }
  addFunctions(graph, functions)
  writeGraph(directory, graph)
}

/** What a session is extended by. */
export interface Extension {
  /** A GraphDef. */
  readonly graph: Uint8Array
  /** Nodes of the session's graph that it uses: the variables of its programs. */
  readonly known: readonly string[]
}

/**
 * A program that is added to a session.
 *
 * @param functions  those that the session has not
 */
export function serializeProgram(
  functions: readonly FunctionDef[],
  program: Program,
  executor: Executor,
  places: Places,
  placement: Placement,
): Extension {
  const graph = new proto.GraphDef()
  const devices = devicesOf(places)
  const node = nodesOf(graph, devices)
  const known = new Set<string>()
  devices.forEach((present, place) => {
    if (present === null || placement.runner(program.name, place) !== place) return
    addProgram(node, place, program, executor, placement)
    for (const variable of program.variables) known.add(handleOf(variable, place, placement))
  })
  addFunctions(graph, functions)
  setVersions(graph)
  return { graph: graph.serializeBinary(), known: [...known] }
}

/** Adds nodes to a graph, each on the device of its place and stage. */
const nodesOf =
  (graph: GraphDef, devices: ReturnType<typeof devicesOf>): AddNode =>
  (place, name, op, inputs, attributes, stage = 0) => {
    const definition = nodeDef(name, op, inputs, attributes)
    const device = devices[place]?.[stage]
    // what is fed comes from the host
    if (device && op !== 'Placeholder') definition.setDevice(device)
    graph.addNode(definition)
  }

function addFunctions(graph: GraphDef, functions: readonly FunctionDef[]): void {
  const library = new proto.FunctionDefLibrary()
  for (const definition of functions) library.addFunction(definition)
  graph.setLibrary(library)
}

/** What TensorFlow wants to know of who made a graph. */
export function setVersions(graph: GraphDef): void {
  const versions = new proto.VersionDef()
  versions.setProducer(1882)
  versions.setMinConsumer(0)
  graph.setVersions(versions)
}

/** Writes a graph as a SavedModel of which nothing but a session is made. */
export function writeGraph(directory: string, graph: GraphDef): void {
  setVersions(graph)
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

/** Adds a node at a stage of a place. */
type AddNode = (
  place: number,
  name: string,
  op: string,
  inputs: readonly string[],
  attributes: Attributes,
  stage?: number,
) => void

const atStage =
  (node: AddNode, stage: number): AddNode =>
  (place, name, op, inputs, attributes) =>
    node(place, name, op, inputs, attributes, stage)

/** A variable at a place, and the nodes that read and write it. */
function addVariable(node: AddNode, place: number, variable: Variable, places: Places): void {
  const { name, shape } = variable
  const type = dataTypeOf(variable)
  const dtype = attr.type(type)
  const [handle, value] = [atPlace(place, `variable/${name}`), atPlace(place, `value/${name}`)]
  const { container, sharedName } = resourceName(variable, place, places)
  const named = { shared_name: attr.string(sharedName), container: attr.string(container) }
  node(place, handle, 'VarHandleOp', [], { dtype, shape: attr.shape(shape), ...named })
  node(place, value, 'ReadVariableOp', [handle], { dtype })
  addRead(node, place, variable)
  // one value is fed for all places
  if (place === 0) addFeed(node, variable)
  addAssignment(node, place, variable, atPlace(place, writeName(name)), `bits/${name}`)
  if (variable.dtype !== 'float32') return
  if (place === 0) {
    node(0, `sum_fed/${name}`, 'AddV2', [value, `bits/${name}`], { T: dtype })
    addAssignment(node, 0, variable, addFedName(name), `sum_fed/${name}`)
    return
  }
  node(0, atPlace(place, `sum/${name}`), 'AddV2', [`value/${name}`, value], { T: dtype })
  addAssignment(node, 0, variable, atPlace(place, addName(name)), atPlace(place, `sum/${name}`))
  addAssignment(node, place, variable, atPlace(place, copyName(name)), `value/${name}`)
}

/** Frees what programs have written at this process, also what has never been. */
function addFree(node: AddNode, freed: readonly { readonly place: number; readonly variable: Variable }[]): void {
  const names = freed.map(({ place, variable }) => {
    const handle = atPlace(place, `variable/${variable.name}`)
    const attributes = { ignore_lookup_error: attr.bool(true) }
    atStage(node, stageOf(variable))(place, `${FREE}/${handle}`, 'DestroyResourceOp', [handle], attributes)
    return `^${FREE}/${handle}`
  })
  addDone(node, 0, FREE, names)
}

/** A number that is fetched for what it waits for. */
function addDone(node: AddNode, place: number, name: string, awaited: readonly string[]): void {
  const zero = attr.tensor(DataType.int32, [], new Uint8Array(4))
  node(place, `${name}/done`, 'Const', [], { dtype: attr.type(DataType.int32), value: zero })
  node(place, name, 'Identity', [`${name}/done`, ...awaited], { T: attr.type(DataType.int32) })
}

/** What the host reads of a variable at a place. */
function addRead(node: AddNode, place: number, variable: Variable): void {
  const type = dataTypeOf(variable)
  const [read, value] = [atPlace(place, readName(variable.name)), atPlace(place, `value/${variable.name}`)]
  if (type === DataType.bfloat16) {
    const cast = { SrcT: attr.type(type), DstT: attr.type(DataType.float32), Truncate: attr.bool(false) }
    node(place, read, 'Cast', [value], cast)
  } else node(place, read, 'Identity', [value], { T: attr.type(type) })
}

/** What the host feeds to set a variable. */
function addFeed(node: AddNode, variable: Variable): void {
  const { name } = variable
  const type = dataTypeOf(variable)
  const bytes = { dtype: attr.type(DataType.uint8), shape: attr.shape(byteShape(variable)) }
  node(0, writeFeedName(name), 'Placeholder', [], bytes)
  const cast = { T: attr.type(DataType.uint8), type: attr.type(type) }
  node(0, `bits/${name}`, 'Bitcast', [writeFeedName(name)], cast)
}

/** Sets a variable at a place to a value of any place; `name` is what is fetched for it. */
function addAssignment(node: AddNode, place: number, variable: Variable, name: string, value: string): void {
  const dtype = attr.type(dataTypeOf(variable))
  node(place, `${name}/assign`, 'AssignVariableOp', [atPlace(place, `variable/${variable.name}`), value], { dtype })
  addDone(node, place, name, [`^${name}/assign`])
}

/** The node of the variable that a program at a place uses. */
const handleOf = ({ name }: Variable, place: number, placement: Placement): string =>
  atPlace(placement.holder(name, place) ?? place, `variable/${name}`)

/** The placeholders of a program's inputs, and its calls, at a place. */
function addProgram(node: AddNode, place: number, program: Program, executor: Executor, placement: Placement): void {
  const feed = (input: string) => atPlace(place, feedName(program.name, input))
  for (const [input, { shape }] of Object.entries(program.inputs))
    node(place, feed(input), 'Placeholder', [], { dtype: attr.type(DataType.int32), shape: attr.shape(shape) })
  const nameOf = (call: number) => atPlace(place, callNode(program, call))
  const none = attr.string('')
  program.calls.forEach(({ name, stage, operands, types }, call) => {
    const inputs = operands.map((operand) => {
      if ('input' in operand) return { name: feed(operand.input), type: DataType.int32 }
      if ('variable' in operand) return { name: handleOf(operand.variable, place, placement), type: DataType.resource }
      return { name: `${nameOf(operand.call)}:${operand.result}`, type: operand.type }
    })
    atStage(node, stage)(
      place,
      nameOf(call),
      'StatefulPartitionedCall',
      inputs.map((each) => each.name),
      {
        Tin: attr.types(inputs.map(({ type }) => type)),
        Tout: attr.types(types),
        f: attr.func(name),
        config: none,
        config_proto: OPTIMISED,
        executor_type: none,
        ...(executor === 'xla' ? { _XlaMustCompile: attr.bool(true) } : {}),
      },
    )
  })
  if (program.calls.length > 1) addOutputs(node, place, program)
}

/** What is fetched of a program of several calls: it waits until all of them have set their variables. */
function addOutputs(node: AddNode, place: number, program: Program): void {
  const nameOf = (call: number) => atPlace(place, callNode(program, call))
  const int32 = { T: attr.type(DataType.int32) }
  const done = program.calls.flatMap(({ assigns, stage, types }, call) => {
    if (!assigns) return []
    atStage(node, stage)(place, `${nameOf(call)}/done`, 'Identity', [`${nameOf(call)}:${types.length - 1}`], int32)
    return [`^${nameOf(call)}/done`]
  })
  program.outputs.forEach(({ source }, index) => {
    const { stage, types } = program.calls[source.call] as ProgramCall
    const inputs = [`${nameOf(source.call)}:${source.result}`, ...done]
    const type = attr.type(types[source.result] as DataType)
    atStage(node, stage)(place, atPlace(place, outputNode(program, index)), 'Identity', inputs, { T: type })
  })
}
