import { closeSync, openSync } from 'node:fs'
import { Command } from 'commander'
import type { InvalidRow } from '../events/invalid-rows.js'
import type { OnInvalid } from '../events/jsonl.js'
import { readPairs } from '../events/pairs.js'
import type { Survey } from '../replay/events.js'
import { tokenisePairs } from '../text/tokenise-pairs.js'
import { loadReference, type Reference } from './eval/checkpoint-delta.js'
import { evaluate } from './eval/evaluate.js'
import { eventModel } from './event-model.js'
import { handleInvalid, SKIP_INVALID } from './invalid-rows.js'
import { addModelOptions, type LearnerFlags, learnerConfig } from './learner-config.js'
import { openLearner } from './open-learner.js'
import { keepInput, writing } from './output.js'
import { example, figure, printJson, printTable } from './print.js'

interface EvalFlags extends LearnerFlags {
  readonly pairs: string
  readonly state?: string
  readonly rows?: string
  readonly skipInvalid?: boolean
  readonly json?: boolean
}

/** Scoring keeps no gradients: larger blocks than training has room for. */
const BLOCKS = { size: 32, tokens: 4096 }

/** `bcod eval`. */
export function evalCommand(): Command {
  return addModelOptions(new Command('eval'))
    .description('measure how well an adapter prefers the better of two answers')
    .requiredOption('--pairs <file.jsonl>', 'rows {prompt, chosen, rejected}, or {prompt_tokens, chosen_tokens, …}')
    .option('--adapter <dir>', 'PEFT adapter, or a checkpoint; without one the model is its own reference')
    .option('--state <checkpoint>', 'checkpoint, or directory of checkpoints, whose δ gives the binary accuracy')
    .option('--rows <out.jsonl>', "each pair's log-probabilities and margin")
    .option(...SKIP_INVALID)
    .option('--json', 'summary as one JSON document')
    .addHelpText(
      'after',
      `
Reward: β (log π − log π_ref). Margin: reward of the chosen answer less that of the rejected one; a pair is right where
it is positive, half right where it is 0. Binary accuracy: share of single answers on their side of δ.
With --rows, pairs that cannot be used are listed in ROWS.invalid.jsonl.
${example(
  'bcod eval --model ./model --pairs held-out.jsonl --adapter run1/adapter',
  'bcod eval --model ./model --pairs held-out.jsonl --adapter run1/adapter --state run1/checkpoint --json',
)}`,
    )
    .action(evalPairs)
}

async function evalPairs(flags: EvalFlags): Promise<void> {
  if (flags.rows !== undefined) keepInput(flags.rows, flags.pairs)
  const reference = flags.state === undefined ? null : await loadReference(flags.state)
  const config = learnerConfig(flags, { batch: BLOCKS, ...betaOf(reference) })
  const model = await eventModel(config)
  const { pairs: path, rows: output = null, skipInvalid: skip } = flags
  const read = (onInvalid: OnInvalid) =>
    tokenisePairs(readPairs(path, { ...model, onInvalid }), { path, ...model, onInvalid })
  const found = await surveyPairs(read)
  handleInvalid(found, { path, output, skip })
  const rows = flags.rows === undefined ? null : writing(flags.rows, () => openSync(flags.rows as string, 'w', 0o600))
  try {
    const learner = await openLearner(config, { training: false, scoring: true })
    const options = { beta: config.bco.beta, delta: reference?.delta ?? null, rows }
    const summary = await evaluate(
      learner,
      read(() => undefined),
      options,
    ).finally(() => learner.dispose())
    const invalid = found.invalid.length
    if (flags.json) return printJson({ ...summary, ...(skip && { skipped_invalid: invalid }) })
    printTable([
      ['pairs', String(summary.pairs)],
      ['accuracy', figure(summary.accuracy)],
      ['margin', figure(summary.margin_mean)],
      ['binary accuracy', summary.binary_accuracy === null ? '– (needs --state)' : figure(summary.binary_accuracy)],
      ...(invalid > 0 ? [['left out', `${invalid} that cannot be used`] as const] : []),
      ...(summary.skipped > 0
        ? [['skipped', `${summary.skipped}, an answer longer than ${model.maxLength} tokens`] as const]
        : []),
      ...(summary.non_finite > 0
        ? [['left out', `${summary.non_finite}, a log-probability that is NaN or infinite`] as const]
        : []),
    ])
  } finally {
    if (rows !== null) closeSync(rows)
  }
}

/** The checkpoint's β is the default: its δ is measured in it. */
const betaOf = (reference: Reference | null) => (reference?.beta == null ? {} : { bco: { beta: reference.beta } })

/** Reads the pairs once, before anything is computed. */
async function surveyPairs(read: (onInvalid: OnInvalid) => AsyncIterable<unknown>): Promise<Survey> {
  const invalid: InvalidRow[] = []
  let total = 0
  for await (const _ of read((line, error) => void invalid.push({ line, error }))) total += 1
  return { total, invalid }
}
