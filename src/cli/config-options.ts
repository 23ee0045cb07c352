import type { Command } from 'commander'
import type { ConfigSources } from '../config/config.js'

/** What `--config` and `--set` were given. */
export interface ConfigFlags {
  readonly config?: string
  readonly set?: readonly string[]
}

/** Adds `--config FILE` and the repeatable `--set key=value`. */
export function addConfigOptions(command: Command): Command {
  return command
    .option('--config <file>', 'configuration file, YAML or JSON')
    .option(
      '--set <key=value>',
      'set one key, over file and environment; repeatable',
      (value: string, before: readonly string[] = []) => [...before, value],
    )
}

export const sourcesOf = ({ config, set }: ConfigFlags): ConfigSources => ({ file: config, set })
