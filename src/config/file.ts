import { readFileSync } from 'node:fs'
import { isMap, LineCounter, type Node, parseDocument } from 'yaml'
import { BcodError } from '../errors.js'

/** A configuration file, parsed. Which keys it may have is not its business. */
export interface ConfigFile {
  readonly path: string
  readonly tree: Readonly<Record<string, unknown>>
  /** Line of `batch.maxLatency` in the file, from 1; null if the key is not in it. */
  lineOf(key: string): number | null
}

/**
 * Reads YAML or JSON (YAML 1.2 holds it). An empty file is an empty tree.
 *
 * @throws CONFIG_UNREADABLE with the line, never with the text of it: it could be a password.
 */
export function readConfigFile(path: string): ConfigFile {
  const lines = new LineCounter()
  const document = parseDocument(readText(path), { lineCounter: lines, prettyErrors: false, logLevel: 'error' })
  const problem = document.errors[0]
  if (problem !== undefined) {
    const { line, col } = lines.linePos(problem.pos[0])
    const reason = problem.code.toLowerCase().replaceAll('_', ' ')
    throw new BcodError('CONFIG_UNREADABLE', `line ${line}, column ${col}: ${reason}`, { place: path })
  }
  if (document.contents !== null && !isMap(document.contents)) {
    throw new BcodError('CONFIG_UNREADABLE', 'line 1: expected keys and values at the top', { place: path })
  }
  return {
    path,
    tree: toTree(path, () => document.toJS()),
    lineOf: (key) => {
      const node = document.getIn(key.split('.'), true) as Node | undefined
      return node?.range ? lines.linePos(node.range[0]).line : null
    },
  }
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason'
    throw new BcodError('CONFIG_UNREADABLE', `cannot be read (${reason})`, { place: path, cause })
  }
}

/** Resolving aliases can fail after parsing, on an anchor that does not exist or one that expands without end. */
function toTree(path: string, resolve: () => unknown): Record<string, unknown> {
  try {
    return (resolve() ?? {}) as Record<string, unknown>
  } catch {
    throw new BcodError('CONFIG_UNREADABLE', 'an alias cannot be resolved', { place: path })
  }
}
