import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Command } from 'commander'
import { Registry } from '../../adapters/registry/registry.js'
import { openRegistryFiles } from '../../adapters/storage/open-files.js'
import { type ConfigSources, loadConfig } from '../../config/config.js'
import { hasServers } from '../../daemon/adapters/wanted-versions.js'
import { BcodError } from '../../errors.js'
import { cacheDirectory } from '../../files/cache.js'
import { sha256 } from '../../s3/signature.js'
import { loadedVersions } from '../../serving/replicas.js'
import { addConfigOptions, type ConfigFlags, sourcesOf } from '../config-options.js'
import { integerFrom } from '../numbers.js'
import { say } from '../print.js'
import { loadOnServers } from './load-on-servers.js'

/** What every command on a registry takes. */
export interface RegistryFlags extends ConfigFlags {
  readonly adapters?: string
  readonly json?: boolean
}

/** What every command that moves an alias takes besides. */
export interface MoveFlags extends RegistryFlags {
  readonly generation?: number
}

/** What a command that makes a version live takes besides. */
export interface LiveFlags extends MoveFlags {
  /** False: no server is asked. */
  readonly servers: boolean
}

/** A command on a registry. */
export const registryCommand = (name: string): Command =>
  addConfigOptions(new Command(name))
    .option('--adapters <dir>', 'the registry, a directory or s3://bucket/prefix; by default that of the configuration')
    .option('--json', 'one JSON document')

/** A command that moves an alias. */
export const moveCommand = (name: string): Command =>
  registryCommand(name).option('--generation <n>', 'only if this is still the newest move', integerFrom(0))

/** A command that makes a version live. */
export const liveCommand = (name: string): Command =>
  moveCommand(name).option('--no-servers', 'ask no server of publish.targets: move at once')

export interface OpenRegistry {
  readonly registry: Registry
  /** `checkpoint.dir`; null if the configuration does not say. */
  readonly checkpoints: string | null
  /** `adapters.keep` */
  readonly keep: number
  /** Asks the servers of `publish.targets` which versions they have loaded. */
  readonly loaded: () => Promise<readonly string[]>
}

/**
 * @param flags  with `servers: true`, every server must have a version before it goes live
 * @throws USAGE, CONFIG_INVALID, ADAPTER_IO if no directory is there
 */
export function openRegistry(flags: RegistryFlags & Partial<LiveFlags>): OpenRegistry {
  const { adapters, checkpoint, model, publish } = loadConfig(registrySources(flags))
  const { keep, store } = adapters
  const directory = adapters.dir ?? (store === null ? null : copiesOf(store))
  if (directory === null)
    throw new BcodError('USAGE', 'no registry is named', {
      remedy: 'Name it with --adapters DIR, or the configuration that has it with --config FILE.',
    })
  if (store === null && !existsSync(directory)) throw new BcodError('ADAPTER_IO', 'is not there', { place: directory })
  const { targets, apiKey, timeout } = publish
  const asked = flags.servers !== undefined && hasServers(publish)
  if (asked && !flags.servers) say('warning: no server is asked; requests for a version that one lacks fail there')
  const named = { ...adapters, dir: directory }
  const registry: Registry = new Registry(openRegistryFiles(named), {
    ...{ by: 'cli', reference: model.reference },
    ...(asked && flags.servers && loadOnServers({ publish, adapters: named }, () => registry)),
  })
  return {
    registry,
    checkpoints: checkpoint.dir,
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
