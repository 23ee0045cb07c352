import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { BcodError } from '../../errors.js'

const SHORTEST = 16

/** Keys of applications that may vote for their users. A key is compared in constant time. */
export class ApiKeys {
  private readonly hashes: readonly Buffer[]

  constructor(keys: readonly string[]) {
    this.hashes = keys.map(hashOf)
  }

  /**
   * One key a line; empty lines and lines that begin with # are skipped.
   *
   * @throws FILE_UNREADABLE, CONFIG_INVALID for a key that is too short
   */
  static fromFile(path: string): ApiKeys {
    const keys = readText(path)
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '' && !line.startsWith('#'))
    if (keys.some((key) => key.length < SHORTEST)) {
      const message = `gateway.apiKeysFile has a key of fewer than ${SHORTEST} characters`
      throw new BcodError('CONFIG_INVALID', message, { place: path, remedy: 'Make keys with: openssl rand -hex 24' })
    }
    return new ApiKeys(keys)
  }

  /** A name for the key, which does not give it away; null if it is none of the keys. */
  nameOf(key: string): string | null {
    const hash = hashOf(key)
    let known = false
    for (const each of this.hashes) known = timingSafeEqual(each, hash) || known
    return known ? hash.toString('hex').slice(0, 16) : null
  }
}

const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest()

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new BcodError('FILE_UNREADABLE', `gateway.apiKeysFile cannot be read (${reason})`, {
      place: path,
      cause: error,
    })
  }
}
