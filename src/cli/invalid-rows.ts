import { rmSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { InvalidRows } from '../events/invalid-rows.js'
import type { Survey } from '../replay/events.js'
import { keepInput, writing } from './output.js'
import { say } from './print.js'

/** The flag of every command that reads rows from a file. */
export const SKIP_INVALID = [
  '--skip-invalid',
  'leave out rows that cannot be used; without it nothing runs if there are any',
] as const

export interface InvalidRowsOptions {
  /** The file that was read. */
  readonly path: string
  /** What the command writes: the list goes beside it. null: it writes nothing, and so there is no list. */
  readonly output: string | null
  /** `--skip-invalid` */
  readonly skip: boolean | undefined
}

/** So many rows are named on a terminal. */
const NAMED = 20

/**
 * Lists the rows that cannot be used in `<output>.invalid.jsonl`, and names the first of them on stderr. A list of an
 * earlier run goes.
 *
 * @throws InvalidRows unless they are to be skipped and others are left; OUTPUT_UNWRITABLE, OUTPUT_IS_INPUT
 */
export function handleInvalid({ total, invalid }: Survey, { path, output, skip }: InvalidRowsOptions): void {
  const rows = invalid.length === 0 ? [] : new InvalidRows(path, invalid).rows
  const list = output === null ? null : listBeside(output, [path], rows.map(listed))
  if (rows.length === 0) return
  const where = list === null ? '' : ` ${list} lists ${rows.length === 1 ? 'it' : `all ${rows.length}`}.`
  if (!skip) throw new InvalidRows(path, invalid, `--skip-invalid leaves such rows out.${where}`)
  if (total === 0) throw new InvalidRows(path, invalid, `No row is left without them.${where}`)
  say(`warning: ${rows.length === 1 ? '1 row is' : `${rows.length} rows are`} left out.${where}`)
  say(namedRows(rows))
}

/**
 * Writes what is wrong with rows into `<output>.invalid.jsonl`, one a line. Without any, a list of an earlier run goes.
 *
 * @param inputs  files that it must not replace
 * @returns its path
 * @throws OUTPUT_UNWRITABLE, OUTPUT_IS_INPUT
 */
export function listBeside(output: string, inputs: readonly string[], rows: readonly object[]): string {
  const list = `${resolve(output)}.invalid.jsonl`
  for (const input of inputs) keepInput(list, input)
  const text = rows.map((row) => `${JSON.stringify(row)}\n`).join('')
  writing(list, () => (rows.length === 0 ? rmSync(list, { force: true }) : writeFileSync(list, text, { mode: 0o600 })))
  return list
}

/** A line for each of the first rows, and how many more there are. */
export function namedRows(rows: InvalidRows['rows']): string {
  const named = rows.slice(0, NAMED).map(({ error }) => error.line)
  return [...named, ...(rows.length > NAMED ? [`… and ${rows.length - NAMED} more`] : [])].join('\n')
}

const listed = ({ line, error }: InvalidRows['rows'][number]) => ({
  ...{ line, code: error.code, place: error.place, reason: error.message },
})
