import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROUTING } from '../../adapters/registry/routing.js'
import { BcodError } from '../../errors.js'
import { exchange } from '../../http/exchange.js'
import type { ReadRouting } from './routes.js'

const TIMEOUT_MS = 2_000
const LONGEST = 2 ** 20

/** Reads `GET /routing` of a daemon. */
export const routingAt =
  (url: string): ReadRouting =>
  async () => {
    const { status, body } = await exchange({ method: 'GET', url, timeout: TIMEOUT_MS, maxAnswer: LONGEST })
    // the daemon is there, and has published nothing
    if (status === 404) return null
    if (status !== 200) throw new BcodError('ROUTING_UNREADABLE', `status ${status}`, { place: 'gateway.routing' })
    return body.toString('utf8')
  }

/** Reads the file of a registry in a directory. */
export const routingIn =
  (dir: string): ReadRouting =>
  async () => {
    try {
      return await readFile(join(dir, ROUTING), 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
      throw error
    }
  }
