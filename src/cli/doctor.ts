import { Command } from 'commander'
import { type Config, loadConfig } from '../config/config.js'
import { chooseExecutor } from '../engine/environment.js'
import { BcodError } from '../errors.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { type Finding, pass } from './doctor/finding.js'
import { checkGpu } from './doctor/gpu.js'
import { checkJava, checkKafkaJars } from './doctor/kafka.js'
import { checkCache, checkDisk, checkNode, checkOpenFiles } from './doctor/machine.js'
import { checkBf16, checkTensorFlow, probeTensorFlow, type TensorFlowProbe } from './doctor/tensorflow.js'
import { printFindings } from './findings.js'

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
    checkExecutor(config, tensorflow),
    checkJava(),
    await checkKafkaJars(),
    await checkDisk(config.checkpoint.dir),
    await checkOpenFiles(),
  ]
}

function checkExecutor({ model }: Config, probe: TensorFlowProbe): Finding {
  const { executor, reason } = chooseExecutor(model.executor, probe.loaded && probe.gpu)
  return pass('executor', `${executor} (${reason})`)
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
