import { closeSync, openSync } from 'node:fs'
import { Command } from 'commander'
import { readPairs } from '../events/pairs.js'
import { tokenisePairs } from '../text/tokenise-pairs.js'
import { loadReference, type Reference } from './eval/checkpoint-delta.js'
import { evaluate } from './eval/evaluate.js'
import { eventModel } from './event-model.js'
import { addModelOptions, type LearnerFlags, learnerConfig } from './learner-config.js'
import { openLearner } from './open-learner.js'
import { keepInput, writing } from './output.js'
import { example, figure, printJson, printTable } from './print.js'

interface EvalFlags extends LearnerFlags {
  readonly pairs: string
  readonly state?: string
  readonly rows?: string
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
    .option('--json', 'summary as one JSON document')
    .addHelpText(
      'after',
      `
Reward: β (log π − log π_ref). Margin: reward of the chosen answer less that of the rejected one; a pair is right where
it is positive, half right where it is 0. Binary accuracy: share of single answers on their side of δ.
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
  const pairs = tokenisePairs(readPairs(flags.pairs, model), { path: flags.pairs, ...model })
  const rows = flags.rows === undefined ? null : writing(flags.rows, () => openSync(flags.rows as string, 'w', 0o600))
  try {
    const learner = await openLearner(config, { training: false, scoring: true })
    const options = { beta: config.bco.beta, delta: reference?.delta ?? null, rows }
    const summary = await evaluate(learner, pairs, options).finally(() => learner.dispose())
    if (flags.json) return printJson(summary)
    printTable([
      ['pairs', String(summary.pairs)],
      ['accuracy', figure(summary.accuracy)],
      ['margin', figure(summary.margin_mean)],
      ['binary accuracy', summary.binary_accuracy === null ? '– (needs --state)' : figure(summary.binary_accuracy)],
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
