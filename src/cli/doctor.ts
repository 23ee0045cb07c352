import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { type Config, loadConfig } from '../config/config.js'
import { cpuPlaces } from '../config/devices.js'
import { chooseExecutor, cpuSettings } from '../engine/environment.js'
import type { Executor } from '../engine/saved-model.js'
import { BcodError } from '../errors.js'
import { describeExecution } from '../learner/execution/candidates.js'
import { asBegun, type ExecutionChoice, foreseeExecution, reasonOf } from '../learner/execution/choice.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { checkDevices } from './doctor/devices.js'
import { type Finding, pass } from './doctor/finding.js'
import { checkGpu } from './doctor/gpu.js'
import { checkJava, checkKafkaJars } from './doctor/kafka.js'
import { checkCache, checkDisk, checkNode, checkOpenFiles } from './doctor/machine.js'
import { checkBf16, checkTensorFlow, probeTensorFlow, type TensorFlowProbe } from './doctor/tensorflow.js'
import { checkWorkers } from './doctor/workers.js'
import { printFindings } from './findings.js'
import { readCheckpoint } from './read-checkpoint.js'

/** `bcod doctor`. */
export function doctorCommand(): Command {
  return addConfigOptions(new Command('doctor'))
    .description('what of Node, libtensorflow, GPU, Kafka and disk is in order')
    .option('--json', 'one JSON document')
    .action(async (flags: ConfigFlags & { json?: boolean }) => {
      const findings = await examine(flags)
      if (!printFindings(findings, flags.json === true)) process.exitCode = 1
    })
}

async function examine(flags: ConfigFlags): Promise<readonly Finding[]> {
  const { config, finding } = readConfig(flags)
  const tensorflow = await probeTensorFlow(config.model.tf32)
  return [
    checkNode(process.versions.node),
    finding,
    await checkCache(),
    checkTensorFlow(tensorflow),
    await checkBf16(config.model.dtype),
    ...(await checkGpu(tensorflow)),
    checkDevices(config.devices, tensorflow, config.model.stages),
    ...(await checkWorkers(config)),
    await checkExecutor(config, tensorflow),
    checkJava(),
    await checkKafkaJars(),
    await checkDisk(config.checkpoint.dir),
    await checkOpenFiles(),
  ]
}

/** As a checkpoint has it, or as a new lineage would begin. */
async function checkExecutor(config: Config, probe: TensorFlowProbe): Promise<Finding> {
  const gpu = probe.loaded && probe.gpu
  const rule = chooseExecutor(config.model.executor, gpu)
  const begun = await unlessRefused(async () => begunExecution(config.checkpoint.dir))
  const choice = begun ?? (gpu ? null : await unlessRefused(async () => foreseeExecution(config)))
  const { executor, ...wanted } = { ...config.model, executor: rule.executor, ...choice?.settings }
  const way = describeExecution({
    ...cpuSettings({ ...wanted, places: cpuPlaces(config.devices) }),
    executor: executor as Executor,
  })
  const unknown = gpu ? rule.reason : `${rule.reason}; the first start measures whether another way is faster`
  return pass('executor', `${way} (${choice === null ? unknown : reasonOf(choice, rule)})`)
}

/** Null without checkpoints. */
async function begunExecution(directory: string | null): Promise<ExecutionChoice | null> {
  return directory === null || !existsSync(directory) ? null : asBegun((await readCheckpoint(directory)).resolved)
}

/** Null for a checkpoint or a model that cannot be read: `bcod check` says what is wrong with it. */
async function unlessRefused<T>(look: () => Promise<T | null>): Promise<T | null> {
  try {
    return await look()
  } catch (error) {
    if (error instanceof BcodError) return null
    throw error
  }
}

/** A wrong configuration is one finding; the other checks go on with the defaults. */
function readConfig(flags: ConfigFlags): { config: Config; finding: Finding } {
  try {
    const config = loadConfig(sourcesOf(flags))
    return { config, finding: pass('config', flags.config ?? 'defaults and environment') }
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    const finding: Finding = { name: 'config', status: 'fail', detail: error.line, remedy: error.remedy }
    return { config: loadConfig({ env: {} }), finding }
  }
}
