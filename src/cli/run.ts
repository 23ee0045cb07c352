import { Command } from 'commander'
import { loadConfig } from '../config/config.js'
import { requireFor } from '../config/requirements.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from './config-options.js'
import { exposureFindings } from './exposure-findings.js'

interface RunFlags extends ConfigFlags {
  readonly start?: string
  readonly acceptGap?: boolean
  readonly acceptOlder?: boolean
}

/** `bcod run`: the daemon. */
export function runCommand(): Command {
  return addConfigOptions(new Command('run'))
    .description('the daemon: consume feedback, train, write checkpoints, publish adapters')
    .option('--start <where>', 'where to read from without a checkpoint: earliest, latest or group')
    .option('--accept-gap', 'go on although records that were not read are gone')
    .option('--accept-older', 'continue from an older checkpoint if the newest is damaged')
    .addHelpText('after', '\nExample:\n  bcod run --config bcod.yaml')
    .action(async (flags: RunFlags) => {
      const sources = sourcesOf(flags)
      const set = [
        ...(sources.set ?? []),
        ...(flags.start === undefined ? [] : [`stream.start=${flags.start}`]),
        ...(flags.acceptGap ? ['stream.acceptGap=true'] : []),
      ]
      const config = requireFor(loadConfig({ ...sources, set }), 'run')
      // the other commands start without the daemon, and it without the gateway
      const { serve } = await import('./serve.js')
      await serve(config, flags.acceptOlder === true, undefined, exposureFindings(config, sources.file))
    })
}
