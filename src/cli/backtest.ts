import { writeFileSync } from 'node:fs'
import { Command } from 'commander'
import type { BacktestReport } from '../backtest/backtest.js'
import { BASELINES } from '../backtest/judged-vote.js'
import { reportPage } from '../backtest/page.js'
import type { ProbeResult } from '../backtest/probes.js'
import { count, digits, interval, NAMES, verdictWords } from '../backtest/words.js'
import { BcodError } from '../errors.js'
import { eventModel } from './event-model.js'
import { handleInvalid, SKIP_INVALID } from './invalid-rows.js'
import { addModelOptions, FILE_DEFAULTS, type LearnerFlags, learnerConfig } from './learner-config.js'
import { openLearner } from './open-learner.js'
import { keepInput, writing } from './output.js'
import { example, figure, print, printJson, printRows, printTable, progress, say } from './print.js'

interface BacktestFlags extends Omit<LearnerFlags, 'adapter'> {
  readonly events: string
  readonly report?: string
  readonly skipInvalid?: boolean
  readonly json?: boolean
}

/** `bcod backtest`. */
export function backtestCommand(): Command {
  return addModelOptions(new Command('backtest'))
    .description('would votes that you have make the model better? Trains on them in order and predicts each one first')
    .requiredOption('--events <file.jsonl>', 'feedback in time order, as for bcod replay')
    .option('--report <file.html>', 'the report as one page that needs nothing else')
    .option(...SKIP_INVALID)
    .option('--json', 'the report as one JSON document')
    .addHelpText(
      'after',
      `
Each vote is predicted by the reward of its answer before it trains, and by three baselines that learn from the same
past: the majority, the length of the answer, and the prompt alone. Nothing is kept but the report.
docs/backtest.md says how to read it. With --report, rows that cannot be used are listed in REPORT.invalid.jsonl.
${example(
  'bcod backtest --events last-month.jsonl --model ./SmolLM2-135M-Instruct --report backtest.html',
  'bcod backtest --events last-month.jsonl --model ./model --json',
)}`,
    )
    .action(runBacktest)
}

async function runBacktest(flags: BacktestFlags): Promise<void> {
  const { events: path, report: output = null, skipInvalid: skip } = flags
  if (output !== null) keepInput(output, path)
  const config = learnerConfig(flags, FILE_DEFAULTS)
  const model = await eventModel(config)
  const file = { path, ...model }
  const { survey } = await import('../replay/events.js')
  const found = await survey({ ...file, config })
  handleInvalid(found, { path, output, skip })
  if (found.total === 0) throw new BcodError('USAGE', 'it has no vote that trains', { place: path })
  const { backtest } = await import('../backtest/backtest.js')
  const learner = await openLearner(config, { given: { divergence: false, answerRows: 0 } })
  let report: BacktestReport
  try {
    report = await backtest({
      ...{ learner, config, file, onEmbeddingsFailed: (error: BcodError) => say(error.line) },
      ...(process.stderr.isTTY && { onStep: showProgress(found.total) }),
    })
  } finally {
    learner.dispose()
    model.text?.close()
  }
  if (output !== null) writing(output, () => writeFileSync(output, reportPage(report), { mode: 0o600 }))
  if (flags.json) return printJson({ ...report, report: output })
  printReport(report, output)
}

function printReport(report: BacktestReport, output: string | null): void {
  const { accuracy_low: low, accuracy_high: high, cost } = report
  print(`${report.verdict}\n`)
  for (const sentence of verdictWords(report)) print(sentence)
  print('')
  printRows([
    ['', 'accuracy', 'AUC'],
    [
      NAMES.model,
      interval(report.accuracy === null ? null : { value: report.accuracy, low, high }),
      interval(report.auc === null ? null : { value: report.auc, low: report.auc_low, high: report.auc_high }),
    ],
    ...BASELINES.map((each) => [NAMES[each], digits(report.baselines[each]), digits(report.baselines_auc[each])]),
  ])
  print('')
  printTable([
    ['votes', `${count(report.trained)} of ${count(report.events)} rows, ${figure(100 * report.up_share)} % thumbs-up`],
    ['helps from', report.votes_to_help === null ? '–' : `vote ${count(report.votes_to_help)} on`],
    ['like lengths', `AUC ${interval(report.auc_length_matched)}`],
    ['cost', `${figure(cost.seconds_per_vote)} s per vote, ${figure(cost.peak_memory_bytes / 2 ** 30)} GiB of memory`],
    ['', cost.machine],
    ...probeLines(report.probes),
    ...report.suggestions.map(
      ({ key, value, why }) => ['suggested', key === null ? why : `${key}=${value}: ${why}`] as const,
    ),
    ...(output === null ? [] : [['report', output] as const]),
  ])
}

/** One line each; those that are skipped are so for one reason, which is the base. */
function probeLines(probes: readonly ProbeResult[]): readonly (readonly [string, string])[] {
  const skipped = probes.filter(({ outcome }) => outcome === 'skipped').map(({ name }) => name)
  const asked = probes.filter(({ outcome }) => outcome !== 'skipped')
  const line = ({ before, after, outcome, detail }: ProbeResult): string =>
    outcome === 'error'
      ? `not asked: ${detail}`
      : `${digits(before)} → ${digits(after)} nats per pair, ${outcome === 'passed' ? 'passes the gate' : 'refused by the gate'}`
  return [
    ...asked.map((probe) => [`probe ${probe.name}`, line(probe)] as const),
    ...(skipped.length === 0
      ? []
      : [['not asked', `${skipped.join(', ')}: the base does not write like their answers`] as const]),
  ]
}

const showProgress = (total: number) => (trained: number, loss: number) =>
  progress('stderr', `${trained}/${total} votes  loss ${figure(loss)}   `, trained === total)
