/** A line on stdout: results, and nothing else, go there. */
export const print = (text: string): void => void process.stdout.write(`${text}\n`)

/** One JSON document, on one line. */
export const printJson = (value: unknown): void => print(JSON.stringify(value))

/** Lines of `name  value`, aligned. */
export function printTable(rows: readonly (readonly [name: string, value: string])[]): void {
  const width = Math.max(...rows.map(([name]) => name.length))
  for (const [name, value] of rows) print(`${name.padEnd(width)}  ${value}`)
}

/** The text after a command's help. */
export const example = (...lines: readonly string[]): string =>
  `\nExample${lines.length > 1 ? 's' : ''}:\n${lines.map((line) => `  $ ${line}`).join('\n')}`

/** A figure in four digits, a dash where there is none. */
export const figure = (value: number | null): string => (value === null ? '–' : value.toPrecision(4))
