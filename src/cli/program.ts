import { Command } from 'commander'
import { VERSION } from '../telemetry/version.js'
import { adaptersCommand } from './adapters.js'
import { backtestCommand } from './backtest.js'
import { benchCommand } from './bench.js'
import { checkCommand } from './check.js'
import { configCommand } from './config.js'
import { demoCommand } from './demo.js'
import { doctorCommand } from './doctor.js'
import { evalCommand } from './eval.js'
import { gatewayCommand } from './gateway.js'
import { generateCommand } from './generate.js'
import { importCommand } from './import.js'
import { example } from './print.js'
import { ratioCommand } from './ratio.js'
import { replayCommand } from './replay.js'
import { replayLineage } from './replay-lineage.js'
import { runCommand } from './run.js'
import { tapCommand } from './tap.js'
import { workerCommand } from './worker.js'

/** `bcod` with every command, in the order of its help. None of them loads TensorFlow before it runs. */
export function program(): Command {
  const bcod = new Command('bcod')
    .description('streaming online alignment: live thumbs-up and thumbs-down become LoRA updates')
    .version(VERSION)
    .option('--debug', 'print the stack trace of an error')
    .addHelpText('after', example('bcod COMMAND --help'))
  const commands = [
    demoCommand(),
    runCommand(),
    gatewayCommand(),
    workerCommand(),
    tapCommand(),
    adaptersCommand(),
    checkCommand(),
    configCommand().addHelpText(
      'after',
      example('bcod config show --config bcod.yaml', 'bcod config explain bco.beta'),
    ),
    importCommand(),
    backtestCommand(),
    replayCommand(replayLineage),
    evalCommand(),
    ratioCommand(),
    generateCommand(),
    benchCommand(),
    doctorCommand().addHelpText('after', example('bcod doctor --json')),
  ]
  for (const command of commands) bcod.addCommand(command)
  throwInsteadOfExit(bcod)
  return bcod
}

/** Commander's own errors come to the one place that reports errors, with its exit codes and its form. */
function throwInsteadOfExit(command: Command): void {
  command.exitOverride().configureOutput({ outputError: () => {} })
  for (const child of command.commands) throwInsteadOfExit(child)
}
