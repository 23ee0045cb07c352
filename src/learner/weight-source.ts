import { withFingerprints } from '../engine/cluster/weights/fingerprint.js'
import { keepWeights } from '../engine/cluster/weights/keep-weights.js'
import { keepingServers } from '../engine/cluster/weights/servers.js'
import type { Session, Variable } from '../engine/index.js'
import type { BcodError } from '../errors.js'
import { keptVariables, weightFiles } from '../model/kept-weights.js'
import type { LanguageModel } from '../model/language-model.js'
import { loadWeights } from '../model/weights.js'
import type { TensorReader } from '../safetensors/reader.js'

/** The frozen weights of a model, and how they come to the places of a session. */
export interface WeightSource {
  readonly variables: readonly Variable[]
  /**
   * Once a session is open. Workers that cannot have them are dropped.
   *
   * @param workers  `host:port` of its tasks after the first
   * @returns the servers that had to load; null is the leader
   */
  load(session: Session, reader: TensorReader, workers: readonly string[]): readonly (string | null)[]
}

/** The servers that weights are kept at. */
export interface WeightServers {
  /** Of the leader. */
  readonly target: string
  /** A load that takes longer has failed, milliseconds. */
  readonly timeout: number
}

/**
 * In a session of this process, weights are fed. Servers read them from their own copies of the model, at the path that it
 * has here, and keep them for the sessions that follow.
 *
 * @param reader   of the model, of which only what its tensors are is read now
 * @param servers  null for a session of this process
 * @throws MODEL_FILE_MISSING, MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE, SAFETENSORS_INVALID
 */
export function weightSource(
  modelPath: string,
  { architecture, variables: { all } }: LanguageModel,
  reader: TensorReader,
  servers: WeightServers | null,
): WeightSource {
  const fed: WeightSource = {
    variables: all,
    load(session, from) {
      loadWeights(architecture, from, all, session)
      return []
    },
  }
  if (servers === null) return fed
  const files = withFingerprints(weightFiles(modelPath))
  const variables = keptVariables(all, architecture, reader, files)
  if (variables === null) return fed
  return {
    variables,
    load(session, _, workers) {
      const keeping = keepingServers(variables, (name) => session.keepersOf(name), workers, servers.target)
      const onFailure = (worker: string, error: BcodError) => session.dropWorker(worker, error)
      return keepWeights({ files, servers: keeping, timeout: servers.timeout, onFailure })
    },
  }
}
