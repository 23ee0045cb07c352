import { printable } from '../printable.js'

/**
 * The only place that writes to a terminal. What is printed may hold words of model files, records, brokers or file
 * names: a terminal shows them and never obeys them.
 */

/** A line, or several, on stdout: results, and nothing else, go there. */
export const print = (text: string): void => void process.stdout.write(`${printable(text)}\n`)

/** A line, or several, on stderr. */
export const say = (text: string): void => void process.stderr.write(`${printable(text)}\n`)

/** A line on a terminal that the next one overwrites, unless it is the last. */
export const progress = (stream: 'stdout' | 'stderr', text: string, last = false): void =>
  void process[stream].write(`\r${printable(text)}${last ? '\n' : ''}`)

/** Takes away what `progress` has shown. */
export const clearProgress = (stream: 'stdout' | 'stderr'): void => void process[stream].write('\r\x1b[K')

/** What a model has answered: byte for byte into a file or a pipe, and so that it can do no harm on a terminal. */
export function printAnswer(text: string): void {
  if (process.stdout.isTTY) print(text)
  else process.stdout.write(`${text}\n`)
}

/** One JSON document, on one line. */
export const printJson = (value: unknown): void => print(JSON.stringify(value))

/** Lines of `name  value`, aligned. */
export function printTable(rows: readonly (readonly [name: string, value: string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) print(`${name.padEnd(width)}  ${value}`)
}

/** A table whose first row is its head. */
export function printRows(rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  for (const row of rows)
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}

/** The text after a command's help. */
export const example = (...lines: readonly string[]): string =>
  `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  $ ${line}`).join('\n')}`

/** A figure in four digits, a dash if there is none. */
export const figure = (value: number | null): string => (value === null ? '–' : value.toPrecision(4))
