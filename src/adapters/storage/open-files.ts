import { BcodError } from '../../errors.js'
import { Bucket } from '../../s3/bucket.js'
import { parseLocation } from '../../s3/location.js'
import { BucketFiles } from './bucket-files.js'
import { DirectoryFiles } from './directory-files.js'
import type { RegistryFiles } from './registry-files.js'

/** Where a registry is, as the configuration has it. */
export interface RegistryPlace {
  /** The registry, or the copies of what is in the store. */
  readonly dir: string
  /** `s3://bucket/prefix`; null: the directory. */
  readonly store: string | null
  readonly s3: {
    readonly endpoint: string | null
    readonly region: string | null
    readonly accessKeyId: string | null
    readonly secretAccessKey: string | null
    readonly sessionToken: string | null
    readonly pathStyle: boolean
    readonly timeout: number
  }
}

/**
 * Opens the place of a registry. Nothing is read or written.
 *
 * @param onStage  called after each stage has taken effect; a fault test kills the process there
 * @throws CONFIG_INVALID if the store is not named as `s3://bucket/prefix`
 */
export function openRegistryFiles(place: RegistryPlace, onStage: (stage: string) => void = () => {}): RegistryFiles {
  const bucket = openBucket(place)
  return bucket === null ? new DirectoryFiles(place.dir, onStage) : new BucketFiles(bucket, place.dir, onStage)
}

/** Null without a store. @throws CONFIG_INVALID */
export function openBucket({ store, s3 }: Pick<RegistryPlace, 'store' | 's3'>): Bucket | null {
  if (store === null) return null
  const location = parseLocation(store)
  if (location === null)
    throw new BcodError('CONFIG_INVALID', 'expected s3://bucket/prefix', { place: 'adapters.store' })
  const { region, accessKeyId, secretAccessKey, sessionToken, endpoint, pathStyle, timeout } = s3
  return new Bucket({
    ...{ ...location, endpoint, pathStyle, timeout, region: region ?? 'us-east-1' },
    credentials: { accessKeyId: accessKeyId ?? '', secretAccessKey: secretAccessKey ?? '', sessionToken },
  })
}
