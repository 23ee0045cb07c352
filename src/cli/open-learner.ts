import { nameDeaths } from '../engine/death-notice.js'
import { prepareEnvironment } from '../engine/environment.js'
import type { Learner } from '../learner/learner.js'
import type { LearnerOptions } from '../learner/open-model.js'
import type { ConfigWithModel } from './learner-config.js'
import { say } from './print.js'

/**
 * Loads TensorFlow and the model. TensorFlow reads its settings once, when it is loaded: so it is imported here, after
 * the configuration is known, and commands that do without it start fast.
 */
export async function openLearner(config: ConfigWithModel, options: LearnerOptions): Promise<Learner> {
  prepareEnvironment(config.model.threads)
  nameDeaths(false)
  const { Learner } = await import('../learner/learner.js')
  const learner = new Learner(config, options)
  for (const note of learner.notes) say(`warning: ${note}`)
  return learner
}
