import { requireFinite } from '../adapters/weights/adapter.js'
import { readAdapter } from '../adapters/weights/peft.js'
import { placesAt } from '../config/devices.js'
import { Leader } from '../engine/cluster/leader.js'
import { chooseExecutor, machineDevices, preparedSettings, prepareGpu, usesGpu } from '../engine/index.js'
import { BcodError } from '../errors.js'
import { readArchitecture } from '../model/architecture.js'
import { initialLora, loraFromAdapter, loraParameters } from '../model/lora.js'
import { beginningShapes } from './beginnings.js'
import type { LearnerConfig } from './config.js'
import { resolveDevices } from './devices.js'
import { measuringShapes } from './measuring-shapes.js'
import { ModelSession, type ModelSessionOptions } from './model-session.js'
import { packedShapes } from './packed-shapes.js'
import { refusePlaces } from './place-check.js'
import { ModelPlaces } from './places.js'

export interface LearnerOptions {
  /** How many prompts are answered at once, and the longest answer; null: nothing is sampled. */
  readonly decoder?: { readonly rows: number; readonly length: number } | null
  /** Needed for `score`; `bco.mode = trl` scores in any case. */
  readonly scoring?: boolean
  /** False for a learner that only scores and answers. */
  readonly training?: boolean
  /** Needed for whatever is computed under adapters that are given. */
  readonly given?: GivenOptions | null
  /** `host:port` of the workers of `devices` that have just been asked and can be used. @default none */
  readonly workers?: readonly string[]
  /** Told of each place that is left out, and why. */
  readonly onDropped?: (place: number, reason: BcodError) => void
  readonly onCompiled?: (program: string, ms: number) => void
}

/** What a learner is to compute under adapters that it is given, beside log-probabilities. */
export interface GivenOptions {
  readonly divergence: boolean
  /** How many prompts are answered at once, each as long as an event with its answer; 0 for no answers. */
  readonly answerRows: number
}

/**
 * Loads the model with its initial adapter and compiles its programs.
 *
 * @throws CONFIG_MISSING without a model directory, MODEL_*, ADAPTER_*, DEVICE_MISSING, LEADER_BIND_FAILED
 */
export function openModel(config: LearnerConfig, options: LearnerOptions): ModelSession {
  const { bco, lora, model } = config
  if (model.path === null) throw new BcodError('CONFIG_MISSING', 'no model directory is given', { place: 'model.path' })
  const architecture = readArchitecture(model.path)
  const parameters = loraParameters(architecture, lora)
  const valuesOf = (directory: string) =>
    loraFromAdapter(parameters, lora, requireFinite(readAdapter(directory), directory), directory)
  if (model.stages > architecture.layers)
    throw new BcodError('CONFIG_INVALID', `the model has ${architecture.layers} layers, no ${model.stages} stages`, {
      place: 'model.stages',
    })
  const maxLength = Math.min(config.limits.maxLength, architecture.maxPositions)
  const shapes = packedShapes(maxLength, config.batch.tokens, config.batch.size)
  prepareGpu(model)
  const settings: ModelSessionOptions = {
    modelPath: model.path,
    dtype: model.dtype,
    executor: chooseExecutor(model.executor, usesGpu()).executor,
    lora,
    shapes: options.training === false ? measuringShapes(shapes) : shapes,
    beginnings: beginningShapes(maxLength, config.batch.size),
    referenceCache: model.referenceCache,
    optimizer: config.optimizer,
    beta: bco.beta,
    gradientCheckpointing: model.gradientCheckpointing,
    purposes: [
      ...(options.training === false ? [] : ['train' as const]),
      ...(options.scoring || bco.mode === 'trl' ? ['score' as const] : []),
      ...(options.given ? ['given' as const] : []),
      ...(options.given?.divergence ? ['divergence' as const] : []),
    ],
    decoder: options.decoder ?? null,
    givenDecoder: options.given?.answerRows ? { rows: options.given.answerRows, length: maxLength } : null,
    referenceLora: model.reference === 'base' ? null : valuesOf(model.reference),
    places: placesOf(config),
    workers: options.workers ?? [],
    ...(options.onCompiled ? { onCompiled: options.onCompiled } : {}),
    ...(options.onDropped ? { onDropped: options.onDropped } : {}),
  }
  const session = openOver(settings, config)
  session.adapterValues = lora.init === null ? initialLora(parameters, config.seed) : valuesOf(lora.init)
  refusePlaces(session)
  return session
}

/** Opens it over the workers but those that have gone since they were asked: the one that is named, or all. */
function openOver(settings: ModelSessionOptions, config: LearnerConfig): ModelSession {
  try {
    return new ModelSession(settings)
  } catch (error) {
    const { workers = [], onDropped } = settings
    if (workers.length === 0 || !(error instanceof BcodError) || !/^WORKER_/.test(error.code)) throw error
    const away = workers.filter((worker) => worker === error.place)
    const left = away.length > 0 ? workers.filter((worker) => worker !== error.place) : []
    for (const worker of workers)
      if (!left.includes(worker)) for (const place of placesAt(worker, config)) onDropped?.(place, error)
    return openOver({ ...settings, workers: left }, config)
  }
}

/** This process leads workers from here on if there are any. @throws DEVICE_MISSING, LEADER_BIND_FAILED */
function placesOf({ devices, model, leader: { address, port, operationTimeout } }: LearnerConfig): ModelPlaces {
  const named = resolveDevices(devices, () => (usesGpu() ? machineDevices() : []), model.stages)
  const leads = address !== null && named.some(({ worker }) => worker !== null)
  const leader = leads ? Leader.serve({ address, port, ...preparedSettings(), places: named.length }) : null
  return new ModelPlaces(named, leader, operationTimeout, model.stages)
}
