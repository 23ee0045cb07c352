import { Command } from 'commander'
import { BcodError } from '../errors.js'
import { startNote } from '../learner/config.js'
import type { StepLine } from '../replay/step-line.js'
import { eventModel } from './event-model.js'
import { handleInvalid, SKIP_INVALID } from './invalid-rows.js'
import { addModelOptions, FILE_DEFAULTS, type LearnerFlags, learnerConfig } from './learner-config.js'
import { openLearner } from './open-learner.js'
import { example, figure, printJson, printTable, progress, say } from './print.js'

export interface ReplayFlags extends Omit<LearnerFlags, 'adapter'> {
  readonly events?: string
  readonly lineage?: string
  readonly out: string
  readonly initAdapter?: string
  readonly skipInvalid?: boolean
  readonly json?: boolean
}

/** Follows a lineage of checkpoints instead of a file. */
export type ReplayLineage = (flags: ReplayFlags & { readonly lineage: string }) => Promise<void>

/** `bcod replay --events`, and `--lineage` with what follows it. */
export function replayCommand(replayLineage: ReplayLineage): Command {
  return addModelOptions(new Command('replay'))
    .description(
      'train on a file of feedback, in file order, without a broker; or train a lineage of checkpoints again',
    )
    .option('--events <file.jsonl>', 'feedback: CloudEvents or rows {prompt, completion, label}, one a line')
    .option('--lineage <dir>', 'follow the journal of these checkpoints instead, and compare hashes')
    .requiredOption('--out <dir>', 'where the results go; must be empty or not exist')
    .option('--init-adapter <dir>', 'PEFT adapter to start from; its r, alpha, rslora and targets are taken over')
    .option(...SKIP_INVALID)
    .option('--json', 'summary as one JSON document')
    .addHelpText(
      'after',
      `
Writes OUT/steps.jsonl (one line per optimizer step), OUT/adapter/ (PEFT) and OUT/checkpoint/ (with the journal).
Rows that cannot be used are listed in OUT.invalid.jsonl.
Events go in file order, batch.size to a step. Hold-back, hold-out and caps are off unless they are set; with
batch.stratify=true both classes are mixed out of the stream.pendingEvents that wait.
${example(
  'bcod replay --model ./SmolLM2-135M-Instruct --events feedback.jsonl --out run1',
  'bcod replay --model ./model --events feedback.jsonl --out run2 --set bco.beta=0.2 --set batch.size=16 --json',
  'bcod replay --lineage run1/checkpoint --out again',
)}`,
    )
    .action(async (flags: ReplayFlags) => {
      const { events, lineage } = flags
      if (events !== undefined && lineage === undefined) return replayEvents(flags, events)
      if (lineage !== undefined && events === undefined) return replayLineage({ ...flags, lineage })
      throw new BcodError('USAGE', 'expected one of --events and --lineage', { place: 'replay' })
    })
}

async function replayEvents(flags: ReplayFlags, path: string): Promise<void> {
  const { initAdapter, out, skipInvalid, json } = flags
  const config = learnerConfig(
    { ...flags, ...(initAdapter === undefined ? {} : { adapter: initAdapter }) },
    FILE_DEFAULTS,
  )
  const modelPath = config.model.path
  const note = startNote(config)
  if (note !== null) say(`warning: ${note}`)
  const { replayFile } = await import('../replay/replay.js')
  const summary = await replayFile({
    config,
    modelPath,
    events: { path, ...(await eventModel(config)) },
    out,
    onSurvey: (found) => handleInvalid(found, { path, output: out, skip: skipInvalid }),
    openLearner: () => openLearner(config, {}),
    onEmbeddingsFailed: (error) => say(error.line),
    onBlockLimit: (positions) => say(`out of memory: blocks of at most ${positions} positions from here on`),
    ...(process.stderr.isTTY ? { onStep: showProgress } : {}),
  })
  if (json) return printJson({ ...summary, out })
  const dropped = Object.entries(summary.dropped_by_reason).map(([reason, count]) => `${count} ${reason}`)
  printTable([
    ['events', `${summary.events}, ${summary.trained} trained in ${summary.steps} steps`],
    ...(summary.skipped_invalid > 0 ? [['left out', `${summary.skipped_invalid} that cannot be used`] as const] : []),
    ['dropped', dropped.length === 0 ? '0' : dropped.join(', ')],
    ...(summary.held_out > 0 ? [['held out', String(summary.held_out)] as const] : []),
    ...(summary.shortened > 0 ? [['prompts cut', String(summary.shortened)] as const] : []),
    ['quarantined', String(summary.quarantined)],
    ['loss', `${figure(summary.loss_first)} → ${figure(summary.loss_last)}`],
    ['δ', figure(summary.delta)],
    ['adapter', `${out}/adapter, sha256 ${summary.adapter_sha256}`],
    ['seconds', summary.seconds.toFixed(1)],
  ])
}

function showProgress({ step, loss, delta }: StepLine, trained: number, total: number): void {
  const text = `step ${step}  ${trained}/${total} events  loss ${figure(loss)}  δ ${figure(delta)}   `
  progress('stderr', text, trained === total)
}
