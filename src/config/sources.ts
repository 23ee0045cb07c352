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
 * @throws CONFIG_UNKNOWN_KEY, CONFIG_INVALID where a group holds a single value
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
 * The keys that the environment sets. An empty variable counts as not set. Variables that Kubernetes injects for a
 * service named bcod are left alone; others that start like a key, or almost are one, must be one.
 *
 * @throws CONFIG_UNKNOWN_KEY
 */
export function fromEnvironment(environment: NodeJS.ProcessEnv): readonly Given[] {
  const given: Given[] = []
  const unknown: Problem[] = []
  for (const [name, value] of Object.entries(environment)) {
    if (!name.startsWith('BCOD_') || !value || SETUP_VARIABLES.has(name) || isServiceLink(name, value)) continue
    const key = keyOfVariable.get(name)
    if (key !== undefined) given.push({ key, value: asSet(key, value), origin: name })
    else if (looksLikeKey(name))
      unknown.push({ key: name, text: `no key has this variable${variableSuggestion(name)}` })
  }
  refuse('CONFIG_UNKNOWN_KEY', unknown)
  return given
}

/** A secret that comes from a file ends with the file's newline, which is no part of it. */
const asSet = (key: string, value: string): string =>
  settings.get(key)!.sensitive ? value.replace(/\r?\n$/, '') : value

/**
 * `--set key=value`, the value as JSON where it parses, else as the text it is. Later ones win.
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
 * A password that is not quoted, or not quoted as YAML wants it, ends at its first comma, and what follows reads as a
 * key without a value: such a name is not shown, nor is one that no key could have.
 */
function noSuchKeyInTree(prefix: string, name: string, value: unknown, origin: (key: string) => string): Problem {
  if (value !== null && /^[A-Za-z][\w.-]*$/.test(name)) {
    const key = `${prefix}${name}`
    return { key, text: `there is no such key (${origin(key)})${suggestion(key)}` }
  }
  const group = prefix.slice(0, -1)
  return {
    key: group || 'the top level',
    text: `holds a key without a value, or with a name that no key has (${origin(group)}); are its texts in quotes?`,
  }
}

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
