import { Command } from 'commander'
import { loadConfig } from '../config/config.js'
import { BcodError } from '../errors.js'
import { createLogger } from '../telemetry/logger.js'
import { Worker } from '../worker/worker.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { workerFindings } from './exposure-findings.js'
import { say } from './print.js'
import { stopOnSignals } from './stop-on-signals.js'

/** `bcod worker`: lends the devices of this machine to a leader. */
export function workerCommand(): Command {
  return addConfigOptions(new Command('worker'))
    .description('lend the devices of this machine to a leader elsewhere')
    .addHelpText(
      'after',
      `
It runs any program that reaches its port, without a login: let only the leader reach it. Exit codes: 0 after SIGTERM or
SIGINT, 1 if it cannot serve or its server ends by itself, 2 for a wrong configuration.

Example:
  bcod worker --set worker.address=10.0.0.7 --set model.path=/models/base`,
    )
    .action(async (flags: ConfigFlags) => {
      const config = loadConfig(sourcesOf(flags))
      const logger = createLogger(config.log.level)
      for (const { detail, remedy } of workerFindings(config)) logger.warn({ event: 'ExposureFound', remedy }, detail)
      const stopped = new Promise<'stopped'>((resolve) => void stopOnSignals(() => resolve('stopped')))
      const worker = await Worker.start(config, say)
      const { address, probePort } = worker
      const { tensorflow, model } = worker.identity // the version is in every line
      logger.info({ event: 'WorkerServes', tensorflow, model, address, probePort }, 'the worker takes programs')
      const ending = await Promise.race([stopped, worker.ended])
      await worker.stop()
      if (ending === 'stopped') {
        logger.info({ event: 'WorkerStopped' }, 'the worker has ended')
        return
      }
      const { signal, code } = ending
      throw new BcodError('WORKER_FAILED', `the server ended with ${signal ?? `code ${code}`}`, { place: address })
    })
}
