import { BcodError } from '../../errors.js'
import { versionName, versionStep } from '../versions/version.js'
import { recordText, VERSION_INFO, type VersionRecord, type VoteCounts } from '../versions/version-record.js'
import { type Adapter, adapterSha256, nonFiniteTensor } from '../weights/adapter.js'
import { adapterFiles } from '../weights/peft.js'
import { readRecord } from './derived.js'
import type { RegistryReader } from './registry-reader.js'

/** Where a new version comes from. */
export interface Origin extends Pick<VersionRecord, 'step' | 'delta' | 'config_sha256' | 'checkpoint'> {
  /** Counts the votes that have trained since the parent; it is asked for a step. */
  readonly votesSince?: (step: number) => Promise<VoteCounts>
}

type Place = Pick<RegistryReader, 'files' | 'current'>

/**
 * Writes the adapter of a step as `v00001234`, whole or not at all. If it is there already, nothing is written.
 *
 * @param now  RFC 3339
 * @returns the version's name
 * @throws ADAPTER_NONFINITE, ADAPTER_VERSION_CONFLICT, DIRECTORY_FOREIGN
 */
export async function writeVersion(
  registry: Place,
  adapter: Adapter,
  origin: Origin,
  now: () => string,
): Promise<string> {
  const { step } = origin
  const { files } = registry
  const { place } = files
  const bad = nonFiniteTensor(adapter.tensors)
  if (bad !== null) throw new BcodError('ADAPTER_NONFINITE', `tensor ${bad} of step ${step}`, { place })
  await files.take()
  const version = versionName(step)
  const sha256 = adapterSha256(adapter.tensors)
  const known = await readRecord(files, version)
  if (known === null) {
    await write(registry, adapter, await recordOf(registry, sha256, origin, now))
  } else if (known.sha256 !== sha256) {
    throw conflict(version, `added with sha256 ${known.sha256}, now ${sha256}`, place)
  }
  return version
}

async function recordOf(registry: Place, sha256: string, origin: Origin, now: () => string): Promise<VersionRecord> {
  const { step, delta, votesSince, ...rest } = origin
  const { live: parent } = (await registry.current()).aliases
  const time = now()
  const votes = await votesSince?.(parent === null ? 0 : (versionStep(parent) as number))
  const version = versionName(step)
  return { version, step, sha256, delta, parent, time, state: 'candidate', ...(votes && { votes }), ...rest }
}

async function write({ files }: Place, adapter: Adapter, record: VersionRecord): Promise<void> {
  const { version } = record
  if ((await files.names('.')).includes(version)) throw conflict(version, 'it has no readable bcod.json', files.place)
  const info = new TextEncoder().encode(recordText(record))
  await files.createVersion(version, [...adapterFiles(adapter), [VERSION_INFO, [info]]])
}

const conflict = (version: string, reason: string, place: string) =>
  new BcodError('ADAPTER_VERSION_CONFLICT', `${version} exists: ${reason}`, { place })
