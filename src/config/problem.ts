import { BcodError } from '../errors.js'
import { expectation } from './formats.js'
import type { Setting } from './setting.js'

/** One thing that is wrong with a key, as it reads after the key's name. */
export interface Problem {
  readonly key: string
  readonly text: string
}

/**
 * `expected a number >= 0, got -1 (BCOD_OPTIMIZER_LR)`; never shown is a sensitive value, nor one with an `@`, which may
 * be a URL with a password.
 */
export function wrongValue(key: string, setting: Setting<unknown>, value: unknown, origin: string): Problem {
  return {
    key,
    text: `expected ${expectation(setting)}, got ${setting.sensitive || holdsSecrets(setting) ? HIDDEN_VALUE : shown(value)} (${origin})`,
  }
}

/** Throws one error for all problems, placed at the first; nothing if there are none. */
export function refuse(code: 'CONFIG_INVALID' | 'CONFIG_UNKNOWN_KEY' | 'CONFIG_MISSING', problems: readonly Problem[]) {
  const [first, ...others] = problems
  if (first === undefined) return
  const message = [first.text, ...others.map(({ key, text }) => `${key}: ${text}`)].join('; ')
  throw new BcodError(code, message, { place: first.key })
}

const HIDDEN_VALUE = 'a hidden value'

const holdsSecrets = ({ fields }: Setting<unknown>): boolean =>
  Object.values(fields ?? {}).some(({ sensitive }) => sensitive)

function shown(value: unknown): string {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return 'keys and values'
  const json = JSON.stringify(value) ?? String(value)
  if (json.includes('@')) return HIDDEN_VALUE
  return json.length <= 80 ? json : `${json.slice(0, 77)}...`
}
