import { cpuPlaces, onlyCpus, withoutWorkers } from '../config/devices.js'
import { keepCompiled } from '../engine/compilation-cache.js'
import { nameDeaths } from '../engine/death-notice.js'
import { prepareEnvironment } from '../engine/environment.js'
import type { BcodError } from '../errors.js'
import { answeringWorkers } from '../learner/ask-workers.js'
import { chooseExecution, type ExecutionChoice, foreseeExecution } from '../learner/execution/choice.js'
import type { Learner } from '../learner/learner.js'
import type { LearnerOptions } from '../learner/open-model.js'
import { VERSION } from '../telemetry/version.js'
import type { ConfigWithModel } from './learner-config.js'
import { say } from './print.js'

/**
 * Loads TensorFlow and the model. TensorFlow reads its settings once, when it is loaded: so it is imported here, after
 * the configuration is known, and commands that do without it start fast. What only scores measures nothing, runs as
 * was measured before, and leaves workers to a daemon that may lead them.
 *
 * @param choice  how the programs run, if that is known
 */
export async function openLearner(
  config: ConfigWithModel,
  options: LearnerOptions,
  choice?: ExecutionChoice,
): Promise<Learner> {
  const { settings } = choice ?? (await choiceFor(config, options.training !== false))
  const model = { ...config.model, ...settings }
  prepareEnvironment({ ...model, places: cpuPlaces(config.devices) }, { cpuAlone: onlyCpus(config.devices) })
  keepCompiled(model.compilationCache, model)
  nameDeaths(false)
  const { Learner } = await import('../learner/learner.js')
  const trains = options.training !== false
  const learner = new Learner(
    { ...config, model, devices: trains ? config.devices : withoutWorkers(config.devices) },
    { ...options, workers: trains ? await answeringWorkers(config, VERSION, onDropped) : [], onDropped },
  )
  for (const note of learner.notes) say(`warning: ${note}`)
  return learner
}

const onDropped = (place: number, reason: BcodError) =>
  say(`warning: place ${place} of devices is not used: ${reason.line}`)

/** How the programs of a training are to run; says so if it has to measure. */
export const chooseForTraining = (config: ConfigWithModel): Promise<ExecutionChoice> =>
  chooseExecution(config, {
    measuring: (executions) => say(`measuring which of ${executions.length} ways to run this model is fastest here`),
  })

const choiceFor = async (config: ConfigWithModel, training: boolean) =>
  training ? chooseForTraining(config) : (foreseeExecution(config) ?? { settings: {} })
