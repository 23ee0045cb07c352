import { printableLine } from '../printable.js'
import type { Finding } from './doctor/finding.js'
import { print, printJson } from './print.js'

/** Prints what was checked, as a table or as one JSON document; true where nothing failed. */
export function printFindings(findings: readonly Finding[], json: boolean): boolean {
  const ok = findings.every(({ status }) => status !== 'fail')
  if (json) printJson({ ok, checks: findings })
  else print(table(findings))
  return ok
}

function table(findings: readonly Finding[]): string {
  const width = Math.max(...findings.map(({ name }) => name.length))
  return findings
    .map(({ name, status, detail, remedy }) => {
      const line = `${status.padEnd(4)}  ${name.padEnd(width)}  ${printableLine(detail)}`
      return remedy === null ? line : `${line}\n${' '.repeat(width + 8)}→ ${remedy}`
    })
    .join('\n')
}
