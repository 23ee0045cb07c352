import { readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { systemCode } from '../../src/files/durable-files.js'

/** Where the link `live` of a registry leads; null if there is none. */
export function liveVersion(directory: string): string | null {
  try {
    return readlinkSync(join(directory, 'live'))
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return null
    throw error
  }
}
