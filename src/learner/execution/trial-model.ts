import { join } from 'node:path'
import { BcodError } from '../../errors.js'
import { type JsonFile, readJson } from '../../files/read-json.js'
import { type Architecture, parseArchitecture } from '../../model/architecture.js'
import { LINEAR_LAYERS, linearShape } from '../../model/parameters.js'
import { writeRandomModel } from '../../model/random-model.js'

/** Enough that one layer follows another. */
const LAYERS = 2

/** Numbers in the matrices of all layers. */
export const layerWeights = (architecture: Architecture): number =>
  architecture.layers *
  LINEAR_LAYERS.reduce((sum, layer) => {
    const [out, input] = linearShape(architecture, layer)
    return sum + out * input
  }, 0)

/** `config.json` of a model with the widths of another, few layers, and the head in its old proportion to them. */
export function trialConfig(config: JsonFile, place: string): JsonFile {
  const { layers, vocabSize } = parseArchitecture(config, place)
  const few = Math.min(LAYERS, layers)
  const { layer_types: types } = config
  return {
    ...config,
    num_hidden_layers: few,
    vocab_size: Math.min(vocabSize, Math.max(1024, Math.round((vocabSize * few) / layers))),
    ...(Array.isArray(types) ? { layer_types: types.slice(0, few) } : {}),
  }
}

/** Writes a model for trials: as wide as the one in `modelPath`, with few layers and random weights. */
export function writeTrialModel(directory: string, modelPath: string): void {
  const place = join(modelPath, 'config.json')
  const config = readJson(place, 'MODEL_CONFIG_INVALID')
  if (config === null) throw new BcodError('MODEL_FILE_MISSING', 'is not there', { place })
  writeRandomModel(directory, trialConfig(config, place))
}
