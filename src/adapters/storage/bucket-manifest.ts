import { BcodError } from '../../errors.js'

/** One object of a version that never changes. */
export interface StoredFile {
  readonly name: string
  readonly bytes: number
  readonly sha256: string
}

/** What makes a version of a bucket whole; written after all that it names. */
export interface BucketManifest {
  readonly version: string
  /** Folder of the version's objects: another one for each process that writes it. */
  readonly folder: string
  readonly files: readonly StoredFile[]
}

/** @throws S3_DAMAGED */
export function parseBucketManifest(text: string, place: string): BucketManifest {
  try {
    const { version, folder, files } = JSON.parse(text) as BucketManifest
    const isWhole =
      typeof version === 'string' &&
      /^v\d+-[0-9a-f]+$/.test(folder) &&
      files.every(({ name, sha256 }) => /^\w[\w.-]*$/.test(name) && /^[0-9a-f]{64}$/.test(sha256))
    if (isWhole) return { version, folder, files }
  } catch {
    // said below
  }
  throw new BcodError('S3_DAMAGED', 'is no manifest of a version', { place })
}
