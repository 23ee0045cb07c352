import { lstatSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { Registry, type RegistryOptions } from '../../src/adapters/registry/registry.js'
import { sampleAdapter, temporaryDirectory } from './checkpoints.js'

/** A registry of its own that goes away with the test. */
export function registryIn(directory = temporaryDirectory(), options: Partial<RegistryOptions> = {}) {
  return { directory, registry: new Registry(directory, { by: 'daemon', ...options }) }
}

/** Adds the sample adapter of a step. */
export const added = (registry: Registry, step: number) => registry.add(sampleAdapter(step), { step, delta: 0 })

/** Adds it and makes it live, as the daemon does. */
export async function addLive(registry: Registry, step: number): Promise<void> {
  const { version } = await added(registry, step)
  await registry.publish(version)
}

export const passGate = (registry: Registry, version: string) => registry.saveGateReport({ version, outcome: 'passed' })

/** The links beside the versions. */
export const linksOf = (directory: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(directory)
      .filter((name) => lstatSync(join(directory, name)).isSymbolicLink())
      .map((name) => [name, readlinkSync(join(directory, name))]),
  )
