import { openBucket } from '../../adapters/storage/open-files.js'
import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { requireConditional } from '../../s3/conditional.js'
import { type Finding, fail, pass } from '../doctor/finding.js'

/** The bucket of `adapters.store`: whether it can be written, creates an object only once, and gives it back. */
export async function checkStore({ adapters }: Config): Promise<readonly Finding[]> {
  const bucket = openBucket(adapters)
  if (bucket === null) return []
  try {
    await requireConditional(bucket)
    return [pass('store', `${bucket.place('')}: written, created once, listed, read, removed`)]
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    return [fail('store', error.line, error.remedy)]
  }
}
