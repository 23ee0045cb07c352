import { randomBytes } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../../errors.js'
import type { Bucket } from '../../s3/bucket.js'
import { requireConditional } from '../../s3/conditional.js'
import { sha256 } from '../../s3/signature.js'
import { versionStep } from '../versions/version.js'
import { VERSION_INFO } from '../versions/version-record.js'
import { type BucketManifest, parseBucketManifest, type StoredFile } from './bucket-manifest.js'
import { DirectoryFiles } from './directory-files.js'
import type { RegistryFiles } from './registry-files.js'

/** Nobody takes a day to write a version. */
const ABANDONED_MS = 86_400_000

const MANIFESTS = 'manifests/'
const OBJECTS = 'versions/'

/**
 * A registry in a bucket.
 *
 *     manifests/v00001234.json          what the version consists of; without it there is no such version
 *     versions/v00001234-3fa8…/         its objects, in a folder that one process writes
 *     moves/, routing.json              as in a directory
 *
 * There are no links. Versions that are needed as files are copied into a directory and verified.
 */
export class BucketFiles implements RegistryFiles {
  readonly #copies: DirectoryFiles
  /** Whether the store has shown that it creates an object only once. */
  #isTaken = false
  /** Versions whose copies this process has verified. */
  readonly #verified = new Set<string>()

  /**
   * @param copies   directory of the versions that are needed as files
   * @param onStage  called after each stage has taken effect; a fault test kills the process there
   */
  constructor(
    private readonly bucket: Bucket,
    readonly copies: string,
    private readonly onStage: (stage: string) => void = () => {},
  ) {
    this.#copies = new DirectoryFiles(copies)
  }

  get place(): string {
    return this.bucket.place('')
  }

  /** Also makes sure that the store creates an object only once. @throws DIRECTORY_FOREIGN, S3_UNCONDITIONAL */
  async take(): Promise<void> {
    this.#requireCopies()
    await this.#copies.take()
    if (this.#isTaken) return
    await requireConditional(this.bucket)
    this.#isTaken = true
  }

  /** Of the top folder, the versions alone. */
  async names(folder: string): Promise<readonly string[]> {
    if (folder === '.') return this.#versions()
    const manifest = await this.#manifestOf(folder)
    if (versionStep(folder) !== null && manifest === null) return []
    const start = manifest === null ? `${folder}/` : objectOf(manifest, '')
    return (await this.bucket.folder(start)).map(({ key }) => key.slice(start.length))
  }

  async read(path: string): Promise<string | null> {
    const key = await this.#keyOf(path)
    return key === null ? null : ((await this.bucket.get(key))?.toString() ?? null)
  }

  async create(path: string, text: string, written?: () => void): Promise<boolean> {
    written?.()
    return this.bucket.create(path, bytesOf(text), randomBytes(16).toString('hex'))
  }

  async replace(path: string, text: string): Promise<void> {
    const key = await this.#keyOf(path)
    if (key === null) throw new BcodError('ADAPTER_UNKNOWN', 'the version is gone', { place: this.bucket.place(path) })
    await this.bucket.put(key, bytesOf(text))
  }

  async remove(path: string): Promise<void> {
    await this.bucket.remove(path)
  }

  async createVersion(
    version: string,
    files: Iterable<readonly [name: string, chunks: Iterable<Uint8Array>]>,
  ): Promise<void> {
    this.#requireCopies()
    const folder = `${version}-${randomBytes(6).toString('hex')}`
    const whole = [...files].map(([name, chunks]) => [name, Buffer.concat([...chunks])] as const)
    for (const [name, body] of whole) await this.bucket.put(`${OBJECTS}${folder}/${name}`, body)
    this.onStage('objects written')
    // what `bcod.json` says changes later
    const fixed = whole.filter(([name]) => name !== VERSION_INFO)
    const described = fixed.map(([name, body]) => ({ name, bytes: body.length, sha256: sha256(body) }))
    const manifest: BucketManifest = { version, folder, files: described }
    if (!(await this.create(manifestKey(version), `${JSON.stringify(manifest, null, 2)}\n`))) {
      const place = this.bucket.place(manifestKey(version))
      throw new BcodError('ADAPTER_VERSION_CONFLICT', `${version} exists: somebody else has written it`, { place })
    }
    this.onStage('version written')
    this.#verified.delete(version)
    await this.#copies.removeVersion(version)
    await this.#copy(manifest, async (name) => whole.find(([each]) => each === name)?.[1] ?? null)
  }

  /** The manifest goes first: from then on nobody finds what is being removed. */
  async removeVersion(version: string): Promise<void> {
    this.#requireCopies()
    const manifest = await this.#manifestOf(version)
    if (manifest === null) return
    await this.bucket.remove(manifestKey(version))
    for (const { key } of await this.bucket.list(objectOf(manifest, ''))) await this.bucket.remove(key)
    this.#verified.delete(version)
    await this.#copies.removeVersion(version)
  }

  /** There are no links: routers read `routing.json`. */
  async link(): Promise<null> {
    return null
  }

  async setLink(): Promise<void> {}

  /** Objects that no manifest names go a day after the last of them was written; copies of versions that are gone, at once. */
  async clear(): Promise<void> {
    this.#requireCopies()
    const versions = await this.#versions()
    const manifests = await Promise.all(versions.map((version) => this.#manifestOf(version)))
    const named = new Set(manifests.map((manifest) => manifest?.folder))
    for (const { key } of await this.bucket.folder(OBJECTS)) {
      if (named.has(key.slice(OBJECTS.length, -1))) continue
      const objects = await this.bucket.list(key)
      const isAbandoned = objects.every(({ time }) => time !== null && Date.now() - time > ABANDONED_MS)
      if (isAbandoned) for (const object of objects) await this.bucket.remove(object.key)
    }
    for (const copied of await this.#copies.names('.'))
      if (versionStep(copied) !== null && !versions.includes(copied)) await this.#copies.removeVersion(copied)
  }

  /** What is not what the manifest says is copied again. @throws ADAPTER_UNKNOWN, DIRECTORY_FOREIGN, S3_DAMAGED */
  async local(version: string): Promise<string> {
    const directory = join(this.copies, version)
    if (this.#verified.has(version) && existsSync(directory)) return directory
    this.#requireCopies()
    const manifest = await this.#manifestOf(version)
    if (manifest === null)
      throw new BcodError('ADAPTER_UNKNOWN', `there is no ${version}`, { place: this.bucket.place('') })
    if (!manifest.files.every((file) => isCopy(join(directory, file.name), file))) {
      await this.#copies.removeVersion(version)
      await this.#copy(manifest, (name) => this.bucket.get(objectOf(manifest, name)))
    }
    this.#verified.add(version)
    return directory
  }

  /** Copies come and go: the versions of a registry would be lost. */
  #requireCopies(): void {
    const isRegistry = ['moves', 'live'].some((name) => existsSync(join(this.copies, name)))
    if (!isRegistry) return
    const remedy = 'Set adapters.dir to a new or empty directory: with adapters.store it only has copies.'
    throw new BcodError('DIRECTORY_FOREIGN', 'is a registry of its own', { place: this.copies, remedy })
  }

  async #copy(manifest: BucketManifest, read: (name: string) => Promise<Buffer | null>): Promise<void> {
    const files: [string, Buffer[]][] = []
    for (const { name, sha256: expected } of manifest.files) {
      const body = await read(name)
      if (body === null || sha256(body) !== expected) {
        const reason = body === null ? 'is not there' : 'is not what was written: its sha256 differs'
        throw new BcodError('S3_DAMAGED', reason, { place: this.bucket.place(objectOf(manifest, name)) })
      }
      files.push([name, [body]])
    }
    const { version } = manifest
    await this.#copies.createVersion(version, files).catch((error: unknown) => {
      // another process was faster
      if (!existsSync(join(this.copies, version))) throw error
    })
  }

  async #versions(): Promise<readonly string[]> {
    const listed = await this.bucket.folder(MANIFESTS)
    return listed
      .map(({ key }) => key.slice(MANIFESTS.length, -JSON_ENDING.length))
      .filter((name) => versionStep(name) !== null)
  }

  async #manifestOf(version: string): Promise<BucketManifest | null> {
    if (versionStep(version) === null) return null
    const body = await this.bucket.get(manifestKey(version))
    return body === null ? null : parseBucketManifest(body.toString(), this.bucket.place(manifestKey(version)))
  }

  /** Null for a file of a version that is not there. */
  async #keyOf(path: string): Promise<string | null> {
    const [version = '', name] = path.split('/')
    if (name === undefined || versionStep(version) === null) return path
    const manifest = await this.#manifestOf(version)
    return manifest === null ? null : objectOf(manifest, name)
  }
}

const isCopy = (path: string, file: StoredFile): boolean =>
  existsSync(path) && sha256(readFileSync(path)) === file.sha256

const JSON_ENDING = '.json'

const manifestKey = (version: string) => `${MANIFESTS}${version}${JSON_ENDING}`

const objectOf = ({ folder }: BucketManifest, name: string) => `${OBJECTS}${folder}/${name}`

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)
