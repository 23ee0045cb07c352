import type { BacktestReport } from './backtest.js'
import { type Band, type Chart, chartSvg, type Line } from './chart.js'
import type { Group, Moment } from './evidence.js'
import { BASELINES } from './judged-vote.js'
import { STYLE } from './page-style.js'
import type { Estimate } from './separation.js'
import { count, digits, interval, NAMES, verdictWords } from './words.js'

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
<header><p>bcod backtest</p><h1 class="${report.verdict.replace(' ', '-')}">${report.verdict}</h1>
<p class="meaning">${text(meaning)}</p>${explained.map((each) => `<p class="explained">${text(each)}</p>`).join('')}</header>
${tiles(report)}
${section('AUC of all votes so far', chart(soFar(report)), 'How well each predictor sorts thumbs-up above thumbs-down, before it has learnt from them. ½ is chance. The shaded area is the 95 % interval of the model.')}
${section('In blocks of time', chart(inBlocks(report)), 'AUC of the model within each twentieth of the votes.')}
${section('Against the baselines', baselines(report), 'Accuracy is the share of labels predicted right. Each predictor has learnt from the same past, and from nothing else.')}
${section('By topic', groups('topic', report.by_topic), 'Prompts whose embeddings lie together. The line of the file that is named is the most typical vote.')}
${section('By user', groups('user', report.by_user), 'The users with most votes. The line is that of their first vote.')}
${section('What might explain it', doubts(report), 'A gain that hangs on one user, one prompt or the length of answers is not what you want to train on.')}
${section('Probes of the gate', probes(report), 'Mean margin in nats per pair, for the base and after the last vote. The interval is that of the change.')}
${section('What it would cost here', costs(report), '')}
${section('Suggested', suggested(report), '')}
</body>
</html>
`
}

const section = (title: string, body: string, note: string): string =>
  body === '' ? '' : `<section><h2>${title}</h2>${note === '' ? '' : `<p class="note">${note}</p>`}${body}</section>`

function tiles(report: BacktestReport): string {
  const { auc, auc_low, auc_high, accuracy, accuracy_low, accuracy_high } = report
  const tile = (name: string, value: string, below: string) =>
    `<div><span>${name}</span><b>${value}</b><small>${below}</small></div>`
  const ends = (low: number | null, high: number | null) => (low === null ? '' : `${digits(low)} … ${digits(high)}`)
  return `<div class="tiles">${[
    tile('AUC', digits(auc), ends(auc_low, auc_high)),
    tile('accuracy', digits(accuracy), ends(accuracy_low, accuracy_high)),
    tile('votes', count(report.trained), `${(100 * report.up_share).toFixed(0)} % thumbs-up`),
    report.verdict === 'not yet'
      ? tile('missing', count(report.votes_missing), 'votes like these')
      : tile(
          'helps from',
          report.votes_to_help === null ? 'never' : `vote ${count(report.votes_to_help)}`,
          'better than every baseline',
        ),
  ].join('')}</div>`
}

const soFar = ({ over_time, trained }: BacktestReport): Chart => ({
  title: 'AUC of all votes so far',
  votes: trained,
  band: band(over_time, ({ auc_so_far }) => auc_so_far),
  lines: [
    line('model', over_time, ({ auc_so_far }) => auc_so_far?.value ?? null),
    ...(['length', 'prompt'] as const).map((each) => line(each, over_time, (moment) => moment.baselines_so_far[each])),
  ],
})

const inBlocks = ({ over_time, trained }: BacktestReport): Chart => ({
  title: 'AUC in blocks of time',
  votes: trained,
  band: band(over_time, ({ auc }) => auc),
  lines: [line('model', over_time, ({ auc }) => auc?.value ?? null)],
})

const line = (kind: keyof typeof NAMES, moments: readonly Moment[], of: (moment: Moment) => number | null): Line => ({
  ...{ name: NAMES[kind], kind },
  points: moments.map((moment) => ({ x: moment.at, y: of(moment) })),
})

const band = (moments: readonly Moment[], of: (moment: Moment) => Estimate | null): Band =>
  moments.flatMap((moment) => {
    const estimate = of(moment)
    if (estimate === null || estimate.low === null || estimate.high === null) return []
    return [{ x: moment.at, low: Math.max(0, estimate.low), high: Math.min(1, estimate.high) }]
  })

function chart(each: Chart): string {
  const legend = each.lines.map(({ name, kind }) => `<li class="${kind}">${name}</li>`).join('')
  return `<figure>${chartSvg(each)}<ul class="legend">${legend}</ul></figure>`
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
    ['', 'accuracy', 'AUC', 'gain in AUC of the model'],
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
      ...[`line ${at}`, count(votes), digits(up_share), interval(accuracy), interval(auc)],
    ]),
  )

function doubts({ without_user: user, without_prompt: prompt, auc_length_matched: matched }: BacktestReport): string {
  const without = (what: string, left: typeof user) =>
    left === null ? [] : [[`without one ${what} (line ${left.line}, ${left.votes} votes)`, digits(left.auc)]]
  return table(
    ['', 'AUC of the model'],
    [...without('user', user), ...without('prompt', prompt), ['among answers of like length', interval(matched)]],
  )
}

const probes = ({ probes: all }: BacktestReport): string =>
  table(
    ['probe', 'before', 'after', 'change', 'the gate'],
    all.map(({ name, before, after, value, low, high, outcome }) => [
      ...[name, digits(before), digits(after), interval(value === null ? null : { value, low, high }), outcome],
    ]),
  )

const costs = ({ cost }: BacktestReport): string =>
  table(
    ['', ''],
    [
      ['seconds per vote', digits(cost.seconds_per_vote)],
      ['votes per day', count(cost.votes_per_day)],
      ['peak memory', `${(cost.peak_memory_bytes / 2 ** 30).toFixed(2)} GiB`],
      ['this backtest', `${cost.seconds.toFixed(0)} s`],
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
