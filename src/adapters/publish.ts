import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { chmod, mkdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { isDiskFull, syncDirectory, systemCode, writeFileDurably } from '../files/durable-files.js'
import { clearWork, takeDirectory } from '../files/own-directory.js'
import { type Adapter, adapterSha256, nonFiniteTensor } from './adapter.js'
import { adapterFiles } from './peft.js'
import { versionName, versionStep } from './version.js'

/** `bcod.json` of a published version. */
export interface PublishedVersion {
  /** Directory name, `v` and the step in eight digits. */
  readonly version: string
  readonly step: number
  /** adapter_sha256 of the tensors. */
  readonly sha256: string
  /** Reward shift δ after the step. */
  readonly delta: number
  /** The version that was live before; null for the first. */
  readonly parent: string | null
  /** When it was published, RFC 3339. */
  readonly time: string
}

export interface PublishOptions {
  readonly step: number
  /** Reward shift δ after the step. */
  readonly delta: number
  /** @default now */
  readonly time?: Date
  /** Called after each stage has taken effect; a fault test kills the process there. */
  readonly onStage?: (stage: string) => void
}

/**
 * Publishes the adapter of a step as `<directory>/v00001234/`, whole or not at all, and moves the `live` link to it.
 * Servers under other users may read it. Publishing the same adapter again only moves the link.
 *
 * @throws ADAPTER_NONFINITE, ADAPTER_VERSION_CONFLICT, ADAPTER_DISK_FULL; in each case `live` stays where it was
 */
export async function publishAdapter(
  directory: string,
  adapter: Adapter,
  { step, delta, time = new Date(), onStage }: PublishOptions,
): Promise<PublishedVersion> {
  const bad = nonFiniteTensor(adapter.tensors)
  if (bad !== null) throw new BcodError('ADAPTER_NONFINITE', `tensor ${bad} of step ${step}`, { place: directory })
  const version = versionName(step)
  const sha256 = adapterSha256(adapter.tensors)
  try {
    await takeRegistry(directory)
    let published = readVersion(directory, version)
    if (published === null) {
      if (existsSync(join(directory, version))) throw conflict(directory, version, 'it has no readable bcod.json')
      published = { version, step, sha256, delta, parent: liveVersion(directory), time: time.toISOString() }
      await writeVersion(directory, published, adapter)
      onStage?.('version written')
    } else if (published.sha256 !== sha256) {
      throw conflict(directory, version, `published with sha256 ${published.sha256}, now ${sha256}`)
    }
    await setLiveVersion(directory, version, onStage)
    return published
  } catch (error) {
    throw isDiskFull(error)
      ? new BcodError('ADAPTER_DISK_FULL', `${version} was not published`, { place: directory, cause: error })
      : error
  }
}

/**
 * Makes a directory the registry of published versions; servers under other users may read it.
 *
 * @param besides  other directories of this daemon, which may lie within it
 * @throws DIRECTORY_FOREIGN
 */
export async function takeRegistry(directory: string, besides: readonly string[] = []): Promise<void> {
  const isNew = await mkdir(directory, { recursive: true })
  takeDirectory(directory, { mode: DIRECTORY_MODE, besides })
  if (isNew) await chmod(directory, DIRECTORY_MODE)
}

/**
 * Removes the oldest versions but the newest `keep` and the live one. A server that has a removed one loaded may want to
 * read it again, and vLLM ends then: `adapters.keep` and the README say so.
 */
export async function pruneVersions(directory: string, keep: number): Promise<void> {
  // what a killed process left half written or half removed
  await clearWork(directory)
  const live = liveVersion(directory)
  const old = listVersions(directory).slice(0, -keep)
  for (const { version } of old) {
    if (version === live) continue
    const temporary = join(takeDirectory(directory, { mode: DIRECTORY_MODE }), `removed-${version}`)
    await rename(join(directory, version), temporary)
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Moves the `live` link, in one step that no reader can see half done. The version must exist. */
export async function setLiveVersion(
  directory: string,
  version: string,
  onStage?: PublishOptions['onStage'],
): Promise<void> {
  if (liveVersion(directory) === version) return
  const temporary = join(takeDirectory(directory, { mode: DIRECTORY_MODE }), `live-${process.pid}`)
  await rm(temporary, { force: true })
  await symlink(version, temporary)
  onStage?.('live linked')
  await rename(temporary, join(directory, LIVE))
  onStage?.('live moved')
  await syncDirectory(directory)
}

/** The version that `live` points to; null before the first. */
export function liveVersion(directory: string): string | null {
  try {
    return readlinkSync(join(directory, LIVE))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
}

/** Every published version, oldest step first. Directories without a readable bcod.json are not among them. */
export function listVersions(directory: string): readonly PublishedVersion[] {
  return versionNames(directory)
    .map((version) => readVersion(directory, version))
    .filter((version) => version !== null)
}

/** Where the adapter of `model.reference` is: a version of the registry, or a directory; `base` stays as it is. */
export const referenceDirectory = (reference: string, directory: string): string =>
  versionStep(reference) !== null ? join(directory, reference) : reference

/** The steps that published versions came from: their checkpoints are kept. */
export const publishedSteps = (directory: string): ReadonlySet<number> =>
  new Set(versionNames(directory).map((version) => versionStep(version) as number))

const LIVE = 'live'
const INFO = 'bcod.json'
const DIRECTORY_MODE = 0o755
const FILE_MODE = 0o644

async function writeVersion(directory: string, published: PublishedVersion, adapter: Adapter): Promise<void> {
  const temporary = join(takeDirectory(directory, { mode: DIRECTORY_MODE }), `${published.version}-${process.pid}`)
  const info = new TextEncoder().encode(`${JSON.stringify(published, null, 2)}\n`)
  await rm(temporary, { recursive: true, force: true })
  try {
    await mkdir(temporary)
    await chmod(temporary, DIRECTORY_MODE)
    for (const [name, chunks] of [...adapterFiles(adapter), [INFO, [info]] as const]) {
      await writeFileDurably(join(temporary, name), chunks, FILE_MODE)
    }
    await syncDirectory(temporary)
    await rename(temporary, join(directory, published.version))
  } catch (error) {
    await rm(temporary, { recursive: true, force: true }).catch(() => {})
    throw error
  }
  await syncDirectory(directory)
}

const versionNames = (directory: string): readonly string[] =>
  existsSync(directory)
    ? readdirSync(directory)
        .filter((name) => versionStep(name) !== null)
        .sort((a, b) => (versionStep(a) as number) - (versionStep(b) as number))
    : []

function readVersion(directory: string, version: string): PublishedVersion | null {
  try {
    return JSON.parse(readFileSync(join(directory, version, INFO), 'utf8')) as PublishedVersion
  } catch {
    return null
  }
}

const conflict = (directory: string, version: string, reason: string) =>
  new BcodError('ADAPTER_VERSION_CONFLICT', `${version} exists: ${reason}`, { place: directory })
