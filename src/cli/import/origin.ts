import { readFileSync } from 'node:fs'
import { loadConfig } from '../../config/config.js'
import { parseDuration } from '../../config/units.js'
import { BcodError } from '../../errors.js'
import { fileRows } from '../../import/files.js'
import { ProductApi } from '../../import/pull/api.js'
import type { Source } from '../../import/pull/source.js'
import { pulled, SOURCES } from '../../import/pull/sources.js'
import type { Finding } from '../../import/vote.js'
import { sourcesOf } from '../config-options.js'
import { formatOf, type ImportFlags, usage } from './flags.js'

/** Where votes come from. */
export interface Origin {
  /** @param since  where the last import of this state ended; null: nowhere yet */
  findings(since: number | null): AsyncIterable<Finding>
  /** Where the next import of this state begins, if this one began at `started`; null: at the first vote again. */
  next(started: number): number | null
}

/**
 * The files of `--file`, or the product at `--url`.
 *
 * @param signal  ends a pull
 * @throws USAGE, FILE_UNREADABLE for the key
 */
export function originOf(flags: ImportFlags, signal?: AbortSignal): Origin {
  const { file, url } = flags
  if ((file === undefined) === (url === undefined)) throw usage('expected one of --file and --url', 'import')
  const format = formatOf(flags)
  if (file === undefined) return pullOrigin(flags, url as string, signal)
  for (const [name, given] of Object.entries({ '--key-file': flags.keyFile, '--project': flags.project })) {
    if (given !== undefined) throw usage('expected --url with it', name)
  }
  return { findings: () => format.read(fileRows(file, format), flags), next: () => null }
}

/** The product that `--from` and `--url` name. @throws USAGE */
function sourceOf({ from, complete }: ImportFlags): Source {
  const source = SOURCES.find(({ format }) => format === from)
  const able = SOURCES.map(({ format }) => format).join(', ')
  if (source === undefined) throw usage(`expected a product that can be asked (${able}); others take --file`, '--url')
  if (complete && !source.whole) throw usage(`${from} gives what is new, and never all votes`, '--complete')
  return source
}

function pullOrigin(flags: ImportFlags, url: string, signal: AbortSignal | undefined): Origin {
  const source = sourceOf(flags)
  checkUrl(url)
  const key = keyOf(flags)
  const authorization = key === null ? null : source.authorization(key)
  const api = new ProductApi({ url, authorization, ...(signal && { signal }) })
  const overlap = flags.overlap === undefined ? source.overlap : durationOf(flags.overlap, '--overlap')
  const given = flags.since === undefined ? null : Date.parse(flags.since) - overlap
  const formats = { source, format: formatOf(flags) }
  return {
    findings: (since) => pulled(formats, api, { ...flags, since: source.whole ? null : (since ?? given) }),
    next: (started) => (source.whole ? null : started - overlap),
  }
}

function checkUrl(url: string): void {
  if (!URL.canParse(url) || !['http:', 'https:'].includes(new URL(url).protocol))
    throw usage('expected a URL such as https://chat.example.com', '--url')
  if (new URL(url).username !== '')
    throw usage('expected a URL without a user name; the key goes into --key-file', '--url')
}

/** The key of the file, or of the configuration. */
function keyOf(flags: ImportFlags): string | null {
  const { keyFile } = flags
  if (keyFile === undefined) return loadConfig(sourcesOf(flags)).import.key
  try {
    return readFileSync(keyFile, 'utf8').trim()
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new BcodError('FILE_UNREADABLE', `cannot be read (${reason})`, { place: keyFile, cause: error })
  }
}

/** @throws USAGE */
export function durationOf(text: string, flag: string): number {
  const duration = parseDuration(text)
  if (duration === null) throw usage('expected a duration such as 30s or 1d', flag)
  return duration
}
