import { existsSync } from 'node:fs'
import { Command } from 'commander'
import { Registry } from '../../adapters/registry.js'
import { loadConfig } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { loadedVersions } from '../../serving/replicas.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from '../config-options.js'
import { integerFrom } from '../numbers.js'

/** What every command on a registry takes. */
export interface RegistryFlags extends ConfigFlags {
  readonly adapters?: string
  readonly json?: boolean
}

/** What every command that moves an alias takes besides. */
export interface MoveFlags extends RegistryFlags {
  readonly generation?: number
}

/** A command on a registry. */
export const registryCommand = (name: string): Command =>
  addConfigOptions(new Command(name))
    .option('--adapters <dir>', 'the registry; by default adapters.dir of the configuration')
    .option('--json', 'one JSON document')

/** A command that moves an alias. */
export const moveCommand = (name: string): Command =>
  registryCommand(name).option('--generation <n>', 'only if this is still the newest move', integerFrom(0))

interface OpenRegistry {
  readonly registry: Registry
  /** `adapters.keep` */
  readonly keep: number
  /** Asks the servers of `publish.targets` which versions they have loaded. */
  readonly loaded: () => Promise<readonly string[]>
}

/** @throws USAGE, ADAPTER_IO if no directory is there */
export function openRegistry(flags: RegistryFlags): OpenRegistry {
  const { adapters, model, publish } = loadConfig(sourcesOf(flags))
  const { dir, keep } = adapters
  const directory = flags.adapters ?? dir
  if (directory === null)
    throw new BcodError('USAGE', 'no registry is named', {
      remedy: 'Name it with --adapters DIR, or the configuration that has it with --config FILE.',
    })
  if (!existsSync(directory)) throw new BcodError('ADAPTER_IO', 'is not there', { place: directory })
  const { targets, apiKey, timeout } = publish
  return {
    registry: new Registry(directory, { by: 'cli', reference: model.reference }),
    keep,
    loaded: () => loadedVersions(targets, { apiKey, timeout }),
  }
}
