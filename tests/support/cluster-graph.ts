import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { type Attributes, attr, DataType, nodeDef, proto } from '../../src/engine/proto.js'
import { setVersions, writeGraph } from '../../src/engine/saved-model.js'

const T = attr.type(DataType.float32)

/**
 * A graph below `directory` that has for each task, here called k: `echok` of `ink`, a variable (`readk`, `writtenk`), and a
 * queue: a run of `takek` goes on until one of `donek` puts.
 */
export function writeTasks(directory: string, devices: readonly string[]): string {
  const graph = new proto.GraphDef()
  devices.forEach((device, task) => {
    const node = (name: string, op: string, inputs: readonly string[], attributes: Attributes, place = device) => {
      const definition = nodeDef(
        `${name}${task}`,
        op,
        inputs.map((input) => `${input}${task}`),
        attributes,
      )
      definition.setDevice(place)
      graph.addNode(definition)
    }
    const types = attr.types([DataType.float32])
    const named = { shared_name: attr.string(`v${task}`), container: attr.string('') }
    node('in', 'Placeholder', [], { dtype: T }, devices[0])
    node('echo', 'Identity', ['in'], { T })
    node('variable', 'VarHandleOp', [], { dtype: T, shape: attr.shape([2]), ...named })
    node('read', 'ReadVariableOp', ['variable'], { dtype: T })
    node('assign', 'AssignVariableOp', ['variable', 'in'], { dtype: T })
    node('written', 'Identity', ['in', '^assign'], { T })
    node('queue', 'FIFOQueueV2', [], { component_types: types })
    node('put', 'QueueEnqueueV2', ['queue', 'in'], { Tcomponents: types })
    node('done', 'Identity', ['in', '^put'], { T })
    node('take', 'QueueDequeueV2', ['queue'], { component_types: types })
  })
  const path = mkdtempSync(join(directory, 'graph-'))
  writeGraph(path, graph)
  return path
}

/** A serialised graph of one node that takes nodes of another graph and gives floats. */
export function taskGraph(device: string, name: string, op: string, inputs: readonly string[]): Uint8Array {
  const graph = new proto.GraphDef()
  const definition = nodeDef(name, op, inputs, { dtype: T })
  definition.setDevice(device)
  graph.addNode(definition)
  setVersions(graph)
  return graph.serializeBinary()
}
