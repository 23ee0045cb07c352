import type { Config } from '../../config/config.js'
import { workersOf } from '../../config/devices.js'
import { BcodError } from '../../errors.js'
import { askWorkers, leaderIdentity } from '../../learner/ask-workers.js'
import { VERSION } from '../../telemetry/version.js'
import { type Finding, fail, pass, warn } from './finding.js'

/** Whether each worker that `devices` names serves, and is what the leader needs. Training starts without those that fail. */
export async function checkWorkers(config: Pick<Config, 'devices' | 'leader' | 'model'>): Promise<readonly Finding[]> {
  const workers = workersOf(config.devices)
  if (workers.length === 0) return []
  try {
    const wanted = await leaderIdentity(VERSION, config.model.path)
    const { answering, left } = await askWorkers(workers, wanted, config)
    return workers.map((worker) => {
      const error = left.find(({ place }) => place === worker)
      if (answering.includes(worker) || error === undefined)
        return pass('worker', `${worker} serves, with bcod ${wanted.version} and TensorFlow ${wanted.tensorflow}`)
      return fail('worker', error.line, error.remedy)
    })
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    return [warn('worker', `not asked: ${error.line}`, error.remedy)]
  }
}
