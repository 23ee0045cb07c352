import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)

/** The patches replace methods of this version; another may need others, or none. */
export const PATCHED_VERSION = '2.2.4'

/** @throws if another version of kafkajs is installed */
export function assertVersion(): void {
  const { version } = require('kafkajs/package.json') as { version: string }
  if (version !== PATCHED_VERSION) throw new Error(`kafkajs ${PATCHED_VERSION} is needed, found ${version}`)
}

/** The prototype of a class in a module of kafkajs, to replace methods of. */
export const prototypeOf = <T>(module: string): T => (require(module) as { prototype: T }).prototype
