import { randomBytes } from 'node:crypto'
import { BcodError } from '../errors.js'
import type { Bucket } from './bucket.js'

/**
 * Writes an object, tries to create it once more, finds, reads and removes it.
 *
 * @throws S3_UNCONDITIONAL if the store lets an object be created twice, S3_REFUSED if it does not give back what was
 *   written, and what every request throws
 */
export async function requireConditional(bucket: Bucket): Promise<void> {
  const key = `check-${randomBytes(8).toString('hex')}`
  const body = new TextEncoder().encode(key)
  const place = bucket.place(key)
  await bucket.create(key, body, 'first')
  try {
    if (await bucket.create(key, body, 'second'))
      throw new BcodError('S3_UNCONDITIONAL', 'was created twice', { place })
    const read = await bucket.get(key)
    const isListed = (await bucket.list(key)).some((listed) => listed.key === key)
    if (read?.toString() !== key || !isListed)
      throw new BcodError('S3_REFUSED', 'what was written is not found', { place })
  } finally {
    await bucket.remove(key)
  }
}
