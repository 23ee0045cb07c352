import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The patches replace methods of this version; another may need others, or none. */
export const PATCHED_VERSION = '2.2.4'

/** @throws if another version of kafkajs is installed */
export function assertVersion(): void {
  const { version } = require('kafkajs/package.json') as { version: string }
  if (version !== PATCHED_VERSION) throw new Error(`kafkajs ${PATCHED_VERSION} is needed, found ${version}`)
}

const PATCHED = Symbol.for('bcod.kafkajs.patched')

/**
 * Marks kafkajs as patched, for as long as the process lives. A second set of patches on top of the first would not take
 * what the first hands on, and reads would be tried again without end.
 *
 * @throws if it is marked already: a process has two copies of this code, such as src and dist
 */
export function markPatched(): void {
  const kafkajs = require('kafkajs') as { [PATCHED]?: string }
  const first = kafkajs[PATCHED]
  if (first !== undefined)
    throw new Error(
      `kafkajs is patched already, by ${first}: ${import.meta.url} is a second copy of it in one process. Import bcod from one of them alone.`,
    )
  kafkajs[PATCHED] = import.meta.url
}

/** The prototype of a class in a module of kafkajs, to replace methods of. */
export const prototypeOf = <T>(module: string): T => (require(module) as { prototype: T }).prototype
