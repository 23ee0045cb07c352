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

/**
 * A table whose first row is its head.
 *
 * @param below  what stands below each row, in more words than a column takes
 */
export function printRows(rows: readonly (readonly string[])[], below: readonly (string | null)[] = []): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  for (const [i, row] of rows.entries()) {
    print(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    if (below[i]) printBelow(below[i])
  }
}

/** Columns of a terminal, and of what is written elsewhere. */
const WIDTH = 80

/** A paragraph below a row, in from the left, broken between words. */
function printBelow(text: string): void {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1) ?? ''} ${word}`
    if (lines.length > 0 && INDENT.length + longer.length <= WIDTH) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  for (const line of lines) print(`${INDENT}${line}`)
}

const INDENT = ' '.repeat(9)

/** The text after a command's help. */
export const example = (...lines: readonly string[]): string =>
  `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  $ ${line}`).join('\n')}`

/** A figure in four digits, a dash if there is none. */
export const figure = (value: number | null): string => (value === null ? '–' : value.toPrecision(4))
