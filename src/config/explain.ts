import { BcodError } from '../errors.js'
import { expectation } from './formats.js'
import { nearest } from './nearest.js'
import { environmentName, groups, settings } from './schema.js'

/** The output of `bcod config explain` for one key. */
export interface Explanation {
  readonly key: string
  readonly doc: string
  readonly expects: string
  readonly default: unknown
  readonly env: string
  readonly sensitive: boolean
}

/** @throws CONFIG_UNKNOWN_KEY with the nearest key */
export function explainKey(key: string): Explanation {
  const setting = settings.get(key)
  if (setting === undefined) {
    const near = nearest(key, settings.keys())
    throw new BcodError('CONFIG_UNKNOWN_KEY', `there is no such key${near === null ? '' : `, did you mean ${near}?`}`, {
      place: key,
    })
  }
  return {
    key,
    doc: setting.doc,
    expects: expectation(setting),
    default: setting.fallback,
    env: environmentName(key),
    sensitive: setting.sensitive,
  }
}

/** The key itself, or all keys of a group such as `stream.tls`. */
export function explain(keyOrGroup: string): readonly Explanation[] {
  if (!groups.has(keyOrGroup)) return [explainKey(keyOrGroup)]
  return [...settings.keys()].filter((key) => key.startsWith(`${keyOrGroup}.`)).map(explainKey)
}

/** All keys in the order of the schema. */
export const explainAll = (): readonly Explanation[] => [...settings.keys()].map(explainKey)
