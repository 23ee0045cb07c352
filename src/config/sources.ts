import { BcodError } from '../errors.js'
import type { ConfigFile } from './file.js'
import { editDistance, nearest } from './nearest.js'
import { type Problem, refuse } from './problem.js'
import { environmentName, groups, settings } from './schema.js'

/** A value that some source gives to a key, and how an error names that source. */
export interface Given {
  readonly key: string
  readonly value: unknown
  readonly origin: string
}

/** Variables that set-up reads, which are no keys of the configuration. */
const SETUP_VARIABLES: ReadonlySet<string> = new Set(['BCOD_CACHE', 'BCOD_TF'])

const keyOfVariable: ReadonlyMap<string, string> = new Map(
  [...settings.keys()].map((key) => [environmentName(key), key]),
)

/**
 * The keys that a file sets. An empty group is allowed, a key that is not in the schema is not.
 *
 * @throws CONFIG_UNKNOWN_KEY, CONFIG_INVALID if a group holds a single value
 */
export function fromFile(file: ConfigFile): readonly Given[] {
  return fromTree(file.tree, (key) => {
    const line = file.lineOf(key)
    return line === null ? file.path : `${file.path} line ${line}`
  })
}

/** The same for a nested object, such as a command's own defaults. */
export function fromTree(tree: Readonly<Record<string, unknown>>, origin: (key: string) => string): readonly Given[] {
  const given: Given[] = []
  const unknown: Problem[] = []
  const invalid: Problem[] = []
  const visit = (node: Readonly<Record<string, unknown>>, prefix: string): void => {
    for (const [name, value] of Object.entries(node)) {
      const key = `${prefix}${name}`
      if (settings.has(key)) given.push({ key, value, origin: origin(key) })
      else if (!groups.has(key)) unknown.push(noSuchKeyInTree(prefix, name, value, origin))
      else if (typeof value === 'object' && !Array.isArray(value)) visit((value ?? {}) as typeof node, `${key}.`)
      else invalid.push({ key, text: `expected keys and values, got a single value (${origin(key)})` })
    }
  }
  visit(tree, '')
  refuse('CONFIG_UNKNOWN_KEY', unknown)
  refuse('CONFIG_INVALID', invalid)
  return given
}

/**
 * The keys that the environment sets. An empty variable counts as not set. A secret loses one newline at its end, for
 * it may come from a file. Variables that Kubernetes injects for a
 * service named bcod are left alone; others that start like a key, or almost are one, must be one.
 *
 * @throws CONFIG_UNKNOWN_KEY
 */
export function fromEnvironment(environment: NodeJS.ProcessEnv): readonly Given[] {
  const given: Given[] = []
  const unknown: Problem[] = []
  for (const [name, text] of Object.entries(environment)) {
    const key = keyOfVariable.get(name)
    const value = key !== undefined && settings.get(key)!.sensitive ? text?.replace(/\r?\n$/, '') : text
    if (!name.startsWith('BCOD_') || !value || SETUP_VARIABLES.has(name) || isServiceLink(name, value)) continue
    if (key !== undefined) given.push({ key, value, origin: name })
    else if (looksLikeKey(name))
      unknown.push({ key: name, text: `no key has this variable${variableSuggestion(name)}` })
  }
  refuse('CONFIG_UNKNOWN_KEY', unknown)
  return given
}

/**
 * `--set key=value`, the value as JSON if it parses, otherwise as text. Later ones win.
 *
 * @throws CONFIG_UNKNOWN_KEY, CONFIG_INVALID without `=`
 */
export function fromFlags(flags: readonly string[]): readonly Given[] {
  const unknown: Problem[] = []
  const given = flags.map((flag) => {
    const equals = flag.indexOf('=')
    if (equals <= 0) throw new BcodError('CONFIG_INVALID', 'expected key=value', { place: '--set' })
    const key = flag.slice(0, equals)
    const setting = settings.get(key)
    if (setting === undefined) unknown.push({ key, text: `${noSuchKey(key)} (--set)${suggestion(key)}` })
    const literal = flag.slice(equals + 1)
    const value = parsed(literal)
    const staysText = setting?.format === 'text' && value !== null && typeof value !== 'string'
    return { key, value: staysText ? literal : value, origin: '--set' }
  })
  refuse('CONFIG_UNKNOWN_KEY', unknown)
  return given
}

function parsed(literal: string): unknown {
  try {
    return JSON.parse(literal)
  } catch {
    return literal
  }
}

/**
 * In a `{ }` of YAML or JSON a password without quotes ends at its first comma, and what follows reads as a key. So a
 * name is shown where it is close to a key that there is; of others only in groups without a secret, with a value, and
 * where a key could have that name.
 */
function noSuchKeyInTree(prefix: string, name: string, value: unknown, origin: (key: string) => string): Problem {
  const key = `${prefix}${name}`
  const likely = suggestion(key)
  const isName = value !== null && /^[A-Za-z][\w.-]*$/.test(name)
  if (likely !== '' || (isName && !holdsSecret(prefix)))
    return { key, text: `there is no such key (${origin(key)})${likely}` }
  const group = prefix.slice(0, -1)
  return {
    key: group || 'the top level',
    text: `holds a key that there is not (${origin(value === null ? group : key)}); is a text with a comma in quotes?`,
  }
}

const holdsSecret = (prefix: string): boolean =>
  [...settings].some(([key, { sensitive }]) => sensitive && key.slice(0, key.lastIndexOf('.') + 1) === prefix)

const noSuchKey = (key: string): string =>
  groups.has(key) ? 'this is a group, set one of its keys' : 'there is no such key'

function suggestion(key: string): string {
  const near = groups.has(key) ? null : nearest(key, settings.keys())
  return near === null ? '' : `, did you mean ${near}?`
}

function variableSuggestion(name: string): string {
  const near = nearest(name, keyOfVariable.keys())
  return near === null ? '' : `, did you mean ${near}?`
}

/** `BCOD_SERVICE_HOST`, `BCOD_INGEST_PORT_8080_TCP=tcp://…`: Kubernetes puts them into every pod of the namespace. */
function isServiceLink(name: string, value: string): boolean {
  return (
    /^(tcp|udp|sctp):\/\//.test(value) ||
    /_SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$/.test(name) ||
    /_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/.test(name)
  )
}

function looksLikeKey(name: string): boolean {
  const startsLikeGroup = [...groups].some((group) => name.startsWith(`${environmentName(group)}_`))
  return startsLikeGroup || [...keyOfVariable.keys()].some((variable) => editDistance(name, variable) <= 2)
}
