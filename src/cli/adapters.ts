import { Command } from 'commander'
import { diffCommand } from './adapters/diff.js'
import { gateCommand } from './adapters/gate.js'
import { exportCommand, gcCommand } from './adapters/keep.js'
import { listCommand, showCommand } from './adapters/look.js'
import { pinCommand, promoteCommand, resumeCommand, rollbackCommand } from './adapters/move.js'
import { example } from './print.js'

/** `bcod adapters`: versions of the adapter, and which of them users get. */
export function adaptersCommand(): Command {
  const command = new Command('adapters')
    .description('versions of the adapter: which one is live, where it comes from, and the way back')
    .addHelpText('after', example('bcod adapters list --config bcod.yaml', 'bcod adapters rollback --config bcod.yaml'))
  const commands = [
    ...[listCommand(), showCommand(), diffCommand(), gateCommand()],
    ...[promoteCommand(), rollbackCommand(), resumeCommand(), pinCommand()],
    ...[exportCommand(), gcCommand()],
  ]
  for (const each of commands) command.addCommand(each)
  return command
}
