import type { BacktestReport } from './backtest.js'
import { type Group, LEAST_GROUP } from './evidence.js'
import { BASELINES } from './judged-vote.js'
import { blocksChart, soFarChart } from './page-charts.js'
import { STYLE } from './page-style.js'
import { count, digits, interval, NAMES, percent, verdictWords } from './words.js'

/** The report as one page: no script, nothing from elsewhere, in the reader's light or dark. No text of users is in it. */
export function reportPage(report: BacktestReport): string {
  const [meaning = '', ...explained] = verdictWords(report)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Backtest: ${report.verdict}</title>
<style>${STYLE}</style>
</head>
<body>
<header><p>bcod backtest of ${count(report.trained)} votes with ${text(report.model)}</p><h1 class="${report.verdict.replace(' ', '-')}">${report.verdict}</h1>
<p class="meaning">${text(meaning)}</p>${explained.map((each) => `<p class="explained">${text(each)}</p>`).join('')}</header>
${tiles(report)}
${section('AUC of all votes so far', soFarChart(report), 'How well each predictor sorts thumbs-up above thumbs-down, before it has learnt from them. 0.5 is chance. The shaded area is the 95 % interval of the model.')}
${section('In blocks of time', report.over_time.length > 1 ? blocksChart(report) : '', `AUC of the model within each ${count(report.over_time[0]?.votes ?? 0)} votes or so, with its 95 % interval.`)}
${section('Against the baselines', baselines(report), 'Accuracy is the share of labels predicted right. Each predictor has learnt from the same past, and from nothing else.')}
${section('What might explain it', doubts(report), 'A gain that hangs on one user, one prompt or the length of answers is not what you want to train on.')}
${section('By topic', report.by_topic.length > 1 ? groups('topic', report.by_topic) : '', `Prompts whose embeddings lie together. The line of the file that is named is the most typical vote. ${FEW}`)}
${section('By user', groups('user', report.by_user), `The users with most votes. The line is that of their first vote. ${FEW}`)}
${section('Probes of the gate', probes(report), 'What the gate would ask before users get what was learnt. Mean margin of the better answer over the worse one in nats per pair, for the base and after the last vote, with the 95 % interval of the change. The gate skips a probe whose answers the base could not have written.')}
${section('The votes', rows(report), '')}
${section('What it costs on this machine', costs(report), '')}
${section('Suggested settings', suggested(report), '')}
</body>
</html>
`
}

const FEW = `Of fewer than ${LEAST_GROUP} votes nothing is said.`

const section = (title: string, body: string, note: string): string =>
  body === '' ? '' : `<section><h2>${title}</h2>${note === '' ? '' : `<p class="note">${note}</p>`}${body}</section>`

function tiles(report: BacktestReport): string {
  const { auc, auc_low, auc_high, accuracy, accuracy_low, accuracy_high } = report
  const tile = (name: string, value: string, below: string) =>
    `<div><span>${name}</span><b>${value}</b><small>${below}</small></div>`
  const ends = (low: number | null, high: number | null) => (low === null ? '' : `${digits(low)} … ${digits(high)}`)
  return `<div class="tiles">${[
    tile('AUC (0.5 is chance)', digits(auc), ends(auc_low, auc_high)),
    tile('accuracy', digits(accuracy), ends(accuracy_low, accuracy_high)),
    tile('votes', count(report.trained), `${percent(report.up_share)} thumbs-up`),
    report.verdict === 'not yet'
      ? tile('missing', count(report.votes_missing), 'more votes of their kind')
      : tile(
          'helps from',
          report.votes_to_help === null ? 'never' : `vote ${count(report.votes_to_help)}`,
          'better than every baseline',
        ),
  ].join('')}</div>`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return ''
  const cells = (row: readonly string[], tag: 'td' | 'th') =>
    row.map((cell) => `<${tag}>${text(cell)}</${tag}>`).join('')
  return `<div class="scroll"><table><thead><tr>${cells(head, 'th')}</tr></thead><tbody>${rows
    .map((row) => `<tr>${cells(row, 'td')}</tr>`)
    .join('')}</tbody></table></div>`
}

function baselines(report: BacktestReport): string {
  const { accuracy, accuracy_low, accuracy_high, auc, auc_low, auc_high } = report
  const of = (value: number | null, low: number | null, high: number | null) =>
    interval(value === null ? null : { value, low, high })
  return table(
    ['', 'accuracy', 'AUC', 'gain of the model in AUC'],
    [
      [NAMES.model, of(accuracy, accuracy_low, accuracy_high), of(auc, auc_low, auc_high), ''],
      ...BASELINES.map((each) => [
        ...[NAMES[each], digits(report.baselines[each]), digits(report.baselines_auc[each])],
        interval(report.gains[each]),
      ]),
    ],
  )
}

const groups = (name: string, all: readonly Group[]): string =>
  table(
    [name, 'votes', 'thumbs-up', 'accuracy', 'AUC'],
    all.map(({ line: at, votes, up_share, accuracy, auc }) => [
      ...[`line ${at}`, count(votes), percent(up_share), interval(accuracy), interval(auc)],
    ]),
  )

function doubts({ without_user: user, without_prompt: prompt, auc_length_matched: matched }: BacktestReport): string {
  const without = (what: string, left: typeof user) =>
    left === null
      ? []
      : [
          [
            `without the ${what} of line ${left.line} (${left.votes} votes)`,
            digits(left.auc),
            left.better ? 'yes' : 'no',
          ],
        ]
  return table(
    ['', 'AUC of the model', 'certainly better than every baseline'],
    [...without('user', user), ...without('prompt', prompt), ['among answers of like length', interval(matched), '']],
  )
}

const probes = ({ probes: all }: BacktestReport): string =>
  table(
    ['probe', 'pairs', 'before', 'after', 'change', 'the gate'],
    all.map(({ name, pairs, before, after, value, low, high, outcome }) => [
      ...[name, count(pairs), digits(before), digits(after)],
      ...[interval(value === null ? null : { value, low, high }), outcome],
    ]),
  )

const rows = (report: BacktestReport): string =>
  table(
    ['', ''],
    [
      ['rows of the file', count(report.events)],
      ['predicted, then trained on', count(report.trained)],
      ...notTrained(report).map(([reason, rows]) => [reason, count(rows)]),
      ['with a prompt cut to length', count(report.shortened)],
      ['users', report.users === 0 ? 'not named' : count(report.users)],
      ['different prompts', count(report.prompts)],
    ],
  )

const notTrained = (report: BacktestReport): readonly (readonly [reason: string, rows: number])[] =>
  [
    ['cannot be used', report.skipped_invalid] as const,
    ...Object.entries(report.dropped_by_reason).map(([reason, rows]) => [reason.replaceAll('_', ' '), rows] as const),
    ...[['held out', report.held_out] as const, ['quarantined', report.quarantined] as const],
  ].filter(([, rows]) => rows > 0)

const costs = ({ cost }: BacktestReport): string =>
  table(
    ['', ''],
    [
      ['machine', cost.machine],
      ['training', cost.seconds_per_vote === null ? '–' : `${cost.seconds_per_vote.toPrecision(3)} s per vote`],
      ['at most', `${count(cost.votes_per_day)} votes a day`],
      ['peak memory', `${(cost.peak_memory_bytes / 2 ** 30).toFixed(1)} GiB`],
      ['this backtest', `${(cost.seconds / 60).toFixed(1)} minutes`],
    ],
  )

const suggested = ({ suggestions }: BacktestReport): string =>
  `<ul>${suggestions
    .map(
      ({ key, value, why }) => `<li>${key === null ? '' : `<code>${text(`${key}=${value}`)}</code> `}${text(why)}</li>`,
    )
    .join('')}</ul>`

const text = (plain: string): string =>
  plain.replace(/[&<>"]/g, (each) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[each] as string)
