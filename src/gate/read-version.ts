import type { Registry } from '../adapters/registry/registry.js'
import { readAdapter } from '../adapters/weights/peft.js'
import type { GateVersion } from './check.js'

/** A version of a registry with its adapter. @throws ADAPTER_*, S3_*, SAFETENSORS_INVALID */
export async function readVersion(registry: Registry, version: string): Promise<GateVersion> {
  const directory = await registry.files.local(version)
  const { delta } = await registry.version(version)
  return { version, directory, delta, adapter: readAdapter(directory) }
}
