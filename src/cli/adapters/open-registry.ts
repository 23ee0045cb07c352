import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { openRegistryFiles } from '../../adapters/open-files.js'
import { Registry } from '../../adapters/registry.js'
import { type ConfigSources, loadConfig } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { cacheDirectory } from '../../files/cache.js'
import { sha256 } from '../../s3/signature.js'
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
    .option('--adapters <dir>', 'the registry, a directory or s3://bucket/prefix; by default that of the configuration')
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

/** @throws USAGE, CONFIG_INVALID, ADAPTER_IO if no directory is there */
export function openRegistry(flags: RegistryFlags): OpenRegistry {
  const { adapters, model, publish } = loadConfig(registrySources(flags))
  const { keep, store } = adapters
  const directory = adapters.dir ?? (store === null ? null : copiesOf(store))
  if (directory === null)
    throw new BcodError('USAGE', 'no registry is named', {
      remedy: 'Name it with --adapters DIR, or the configuration that has it with --config FILE.',
    })
  if (store === null && !existsSync(directory)) throw new BcodError('ADAPTER_IO', 'is not there', { place: directory })
  const { targets, apiKey, timeout } = publish
  return {
    registry: new Registry(openRegistryFiles({ ...adapters, dir: directory }), {
      by: 'cli',
      reference: model.reference,
    }),
    keep,
    loaded: () => loadedVersions(targets, { apiKey, timeout }),
  }
}

/** The configuration, with the registry that `--adapters` names. */
function registrySources({ adapters, ...flags }: RegistryFlags): ConfigSources {
  if (adapters === undefined) return sourcesOf(flags)
  const isStore = adapters.startsWith('s3://')
  const named = isStore
    ? [`adapters.store=${adapters}`, 'adapters.dir=null']
    : [`adapters.dir=${JSON.stringify(adapters)}`, 'adapters.store=null']
  return sourcesOf({ ...flags, set: [...(flags.set ?? []), ...named] })
}

/** Where a command without a configuration keeps copies of versions. */
const copiesOf = (store: string): string => join(cacheDirectory(), 'adapters', sha256(store).slice(0, 16))
