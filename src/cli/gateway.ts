import { Command } from 'commander'
import { loadConfig } from '../config/config.js'
import { requireFor } from '../config/requirements.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { stopOnSignals } from './stop-on-signals.js'

/** What is still open when everything is closed may hold the process this long. */
const LINGER_MS = 500

/** `bcod gateway`: in front of the servers of the model. */
export function gatewayCommand(): Command {
  return addConfigOptions(new Command('gateway'))
    .description('stand before the servers of the model: pass answers on, and take votes on them')
    .addHelpText('after', '\nExample:\n  bcod gateway --config gateway.yaml')
    .action(async (flags: ConfigFlags) => {
      const config = requireFor(loadConfig(sourcesOf(flags)), 'gateway')
      const { Gateway } = await import('../gateway/gateway.js')
      const { GatewayMetrics } = await import('../telemetry/gateway-metrics.js')
      const { createLogger } = await import('../telemetry/logger.js')
      const logger = createLogger(config.log.level)
      const metrics = new GatewayMetrics()
      metrics.collectProcess()
      const gateway = new Gateway(config, metrics, logger)
      const asked = untilAsked()
      const ports = await gateway.listen()
      logger.info({ event: 'GatewayListening', ...ports }, 'the gateway takes requests')
      await asked
      await gateway.close()
      logger.info({ event: 'GatewayClosed' }, 'the gateway has ended')
      // calls to a broker that hangs end by their own time limit: nobody needs to wait for them
      setTimeout(() => process.exit(), LINGER_MS).unref()
    })
}

const untilAsked = (): Promise<void> => new Promise((resolve) => void stopOnSignals(resolve))
