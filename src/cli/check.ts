import { Command } from 'commander'
import { type Config, loadConfig } from '../config/config.js'
import { missingFor } from '../config/requirements.js'
import { BcodError } from '../errors.js'
import { checkModel } from './check/model.js'
import { checkServers } from './check/servers.js'
import { checkStorage } from './check/storage.js'
import { checkStore } from './check/store.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { checkDevices } from './doctor/devices.js'
import { type Finding, fail, pass } from './doctor/finding.js'
import { checkGpu } from './doctor/gpu.js'
import { probeTensorFlow } from './doctor/tensorflow.js'
import { checkWorkers } from './doctor/workers.js'
import { exposureFindings } from './exposure-findings.js'
import { printFindings } from './findings.js'
import { example } from './print.js'

interface CheckFlags extends ConfigFlags {
  readonly online?: boolean
  readonly json?: boolean
}

/** `bcod check`. */
export function checkCommand(): Command {
  return addConfigOptions(new Command('check'))
    .description('would `bcod run` start with this configuration?')
    .option(
      '--online',
      'also look at the brokers, the topics, the bucket of adapters.store, the model servers, the GPU and the workers',
    )
    .option('--json', 'one JSON document')
    .addHelpText('after', example('bcod check --config bcod.yaml', 'bcod check --config bcod.yaml --online --json'))
    .action(async (flags: CheckFlags) => {
      const json = flags.json === true
      let config: Config
      try {
        config = loadConfig(sourcesOf(flags))
      } catch (error) {
        if (error instanceof BcodError) printFindings([fail('config', error.line, error.remedy)], json)
        throw error
      }
      const findings = [
        checkConfig(config, flags.config),
        ...(await checkModel(config)),
        ...(await checkStorage(config)),
        ...exposureFindings(config, flags.config),
        ...(flags.online ? await checkOnline(config) : []),
      ]
      if (!printFindings(findings, json)) process.exitCode = 1
    })
}

async function checkOnline(config: Config): Promise<readonly Finding[]> {
  const { checkKafka } = await import('./check/kafka.js')
  return [
    ...(await checkKafka(config)),
    ...(await checkStore(config)),
    ...(await checkServers(config)),
    ...(await checkMachine(config)),
  ]
}

async function checkMachine(config: Config): Promise<readonly Finding[]> {
  const tensorflow = await probeTensorFlow(config.model.tf32)
  return [
    ...(await checkGpu(tensorflow)),
    checkDevices(config.devices, tensorflow, config.model.stages),
    ...(await checkWorkers(config)),
  ]
}

function checkConfig(config: Config, file: string | undefined): Finding {
  const missing = missingFor(config, 'run')
  if (missing.length === 0) return pass('config', file ?? 'defaults and environment')
  const keys = missing.map(({ key }) => key).join(', ')
  return fail(
    'config',
    `CONFIG_MISSING ${keys}: required by bcod run`,
    'Set them in the file, in the environment or with --set.',
  )
}
