import type { CheckResult, GateReport } from '../adapters/versions/gate-report.js'

/** A report as Markdown, which reads well on a terminal too. */
export function reportText(report: GateReport): string {
  const { version, parent, started, seconds, outcome, checks } = report
  const rows = [
    ['check', 'outcome', 'value', '95 % interval', 'bound', 'against'],
    ...checks.map((check) => [
      ...[check.name, check.outcome, figure(check.value), intervalText(check), boundText(check)],
      check.reference ?? '',
    ]),
  ]
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => [...(row[column] as string)].length)))
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, i) => cell + ' '.repeat((widths[i] as number) - [...cell].length)).join(' | ')} |`
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`
  const details = checks.flatMap(({ name, detail }) =>
    detail === null || detail === '' ? [] : [`- ${name}: ${detail}`],
  )
  return [
    `# Gate of ${version}: ${outcome}`,
    '',
    `Live at the time: ${parent ?? 'none'}. Started ${started}, took ${seconds.toFixed(1)} s.`,
    '',
    ...[line(rows[0]!), rule, ...rows.slice(1).map(line)],
    ...(details.length > 0 ? ['', ...details] : []),
  ].join('\n')
}

const figure = (value: number | null): string =>
  value === null ? '' : Number.isInteger(value) ? String(value) : value.toPrecision(3)

const intervalText = ({ low, high }: CheckResult): string =>
  low === null && high === null ? '' : `${figure(low)} … ${figure(high)}`

/** A bound below zero is one that the lower end must stay above. */
const boundText = ({ bound }: CheckResult): string =>
  bound === null ? '' : bound < 0 ? `> ${figure(bound)}` : `≤ ${figure(bound)}`
