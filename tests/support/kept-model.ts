import { onTestFinished } from 'vitest'
import type { Leader } from '../../src/engine/cluster/leader.js'
import { withFingerprints } from '../../src/engine/cluster/weights/fingerprint.js'
import { keepWeights } from '../../src/engine/cluster/weights/keep-weights.js'
import { keepingServers } from '../../src/engine/cluster/weights/servers.js'
import { FunctionLibrary, Session, tf, traceProgram, type Variable } from '../../src/engine/index.js'
import type { BcodError } from '../../src/errors.js'
import { readArchitecture } from '../../src/model/architecture.js'
import { keptVariables, weightFiles } from '../../src/model/kept-weights.js'
import { type ModelDtype, modelVariables } from '../../src/model/parameters.js'
import { resolveTies } from '../../src/model/tied-head.js'
import { loadWeights } from '../../src/model/weights.js'
import { openModelTensors } from '../../src/safetensors/directory.js'

/** State of a session beside the weights. */
const STATE = { name: 'state', shape: [1 << 20], dtype: 'float32' } as const

function modelAt(directory: string, dtype: ModelDtype) {
  const reader = openModelTensors(directory)
  onTestFinished(() => reader.close())
  const { architecture } = resolveTies(readArchitecture(directory), reader)
  return { reader, architecture, variables: modelVariables(architecture, dtype).all }
}

/** A program that needs all variables. */
function look(library: FunctionLibrary, variables: readonly Variable[]) {
  return traceProgram(library, 'look', {}, ({ read }) => {
    const values = [...variables, STATE].map(read)
    return { sum: tf.sum(values.at(-1)!) }
  })
}

/** A session of this process whose weights have been fed. */
export function fedModel(directory: string, dtype: ModelDtype): Session {
  const { reader, architecture, variables } = modelAt(directory, dtype)
  const session = new Session(new FunctionLibrary(), variables, [], 'graph')
  onTestFinished(() => session.dispose())
  loadWeights(architecture, reader, variables, session)
  return session
}

/**
 * A session over leader and workers that keep a model's weights, which are loaded where they are missing.
 * @param before  called when the files are known and nothing has been loaded
 */
export function keptModel(
  leader: Leader,
  workers: readonly string[],
  directory: string,
  dtype: ModelDtype,
  before: () => void = () => {},
) {
  const { reader, architecture, variables } = modelAt(directory, dtype)
  const files = withFingerprints(weightFiles(directory))
  const kept = keptVariables(variables, architecture, reader, files)!
  const library = new FunctionLibrary()
  const { target, config, device } = leader.session(workers, 60_000)
  const places = {
    devices: [leader.address, ...workers].map((_, task) => device(task, 'CPU:0')),
    workers: [null, ...workers],
    atFirstOnly: [],
    ...{ target, config },
  }
  const programs = [look(library, kept)]
  const session = new Session(library, [...kept, STATE], programs, 'graph', { places })
  let isOpen = true
  const close = () => {
    if (isOpen) session.dispose()
    isOpen = false
  }
  onTestFinished(close)
  const failures: (readonly [string, BcodError])[] = []
  const servers = keepingServers(kept, (name) => session.keepersOf(name), workers, target)
  const onFailure = (worker: string, error: BcodError) => void failures.push([worker, error])
  before()
  const loaded = keepWeights({ files, servers, timeout: 60_000, onFailure })
  session.write({ state: new Float32Array(STATE.shape[0]) })
  return { session, close, loaded, failures, kept, files, names: kept.map(({ name }) => name) }
}
