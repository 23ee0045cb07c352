import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { BcodError } from '../errors.js'
import { eventModel } from './event-model.js'
import { handleInvalid, SKIP_INVALID } from './invalid-rows.js'
import { addModelOptions, FILE_DEFAULTS, type LearnerFlags, learnerConfig } from './learner-config.js'
import { openLearner } from './open-learner.js'
import { keepInput, writing } from './output.js'
import { example, figure, print, printJson, printTable } from './print.js'
import type { RatioExplanation, WeighedVote } from './ratio/explain.js'
import { reliabilityPlot } from './ratio/reliability-plot.js'
import { readCheckpoint } from './read-checkpoint.js'

interface ExplainFlags extends Omit<LearnerFlags, 'adapter'> {
  readonly events: string
  readonly checkpoint?: string
  readonly svg: string
  readonly top: string
  readonly showText?: boolean
  readonly skipInvalid?: boolean
  readonly json?: boolean
}

/** Longest text of a prompt on one line. */
const TEXT_LENGTH = 80

/** `bcod ratio explain`. */
export function ratioCommand(): Command {
  const explainCommand = addModelOptions(new Command('explain'))
    .description('which thumbs-down weigh most and least, and whether the probabilities behind that are right')
    .requiredOption('--events <file.jsonl>', 'feedback, as for bcod replay')
    .option('--checkpoint <dir>', 'judge by the classifier of this checkpoint, or of the newest one in there')
    .option('--svg <file>', 'file for the reliability plot', 'reliability.svg')
    .option('--top <n>', 'how many of the largest and of the smallest weights', '10')
    .option('--show-text', "print the prompts' text; ids alone otherwise")
    .option(...SKIP_INVALID)
    .option('--json', 'everything as one JSON document')
    .addHelpText(
      'after',
      `
Without --checkpoint the classifier begins with nothing and learns along the file as in bcod replay: each prompt is
judged before its label is known. Nothing is trained. Rows that cannot be used are listed beside the plot, in
SVG.invalid.jsonl.
${example(
  'bcod ratio explain --model ./model --events feedback.jsonl',
  'bcod ratio explain --model ./model --events feedback.jsonl --checkpoint ./checkpoints --show-text',
)}`,
    )
    .action(explainWeights)
  return new Command('ratio')
    .description('the density ratio that weighs thumbs-down')
    .addHelpText('after', example('bcod ratio explain --model ./model --events feedback.jsonl'))
    .addCommand(explainCommand)
}

async function explainWeights(flags: ExplainFlags): Promise<void> {
  const top = Number(flags.top)
  if (!Number.isSafeInteger(top) || top < 0)
    throw new BcodError('USAGE', `expected a whole number, got ${flags.top}`, { place: '--top' })
  keepInput(flags.svg, flags.events)
  const config = learnerConfig(flags, FILE_DEFAULTS)
  if (config.ratio.mode === 'off')
    throw new BcodError('USAGE', 'with ratio.mode=off every weight is 1', { place: 'ratio.mode' })
  const checkpoint = flags.checkpoint === undefined ? null : await readCheckpoint(resolve(flags.checkpoint))
  const model = await eventModel(config)
  const { text } = model
  const file = { path: flags.events, ...model, config }
  const { events: path, svg: output, skipInvalid: skip } = flags
  const { survey } = await import('../replay/events.js')
  handleInvalid(await survey(file), { path, output, skip })
  const learner = await openLearner(config, { training: false, scoring: true })
  const { explainRatio } = await import('./ratio/explain.js')
  let explanation: RatioExplanation
  try {
    explanation = await explainRatio({ learner, config, file: { ...file, onInvalid: () => undefined }, checkpoint })
  } finally {
    learner.dispose()
  }
  writing(flags.svg, () => writeFileSync(flags.svg, reliabilityPlot(explanation.reliability)))
  const shown = async (votes: readonly WeighedVote[]): Promise<readonly Shown[]> => {
    const prompts = votes.map(({ promptTokens }) => promptTokens)
    const texts = flags.showText && text !== null ? await text.decode(prompts, { skipSpecialTokens: true }) : []
    return votes.map(({ line, source, id, ratio, w }, i) => ({
      ...{ line, source, id, ratio, w },
      ...(texts[i] === undefined ? {} : { text: oneLine(texts[i]) }),
    }))
  }
  const { votes, reliability, ...figures } = explanation
  const bySize = [...votes].sort((a, b) => b.ratio - a.ratio)
  const largest = await shown(bySize.slice(0, top))
  const smallest = await shown(bySize.slice(Math.max(top, bySize.length - top)).reverse())
  if (flags.json) return printJson({ ...figures, largest, smallest, reliability, svg: flags.svg })
  printTable(table(explanation, flags.svg))
  printVotes('largest', largest)
  printVotes('smallest', smallest)
}

function table(figures: RatioExplanation, svg: string): readonly (readonly [string, string])[] {
  const { up, down, trust, log_loss, auc, calibration_error, raw_weight_mean } = figures
  return [
    ['votes', `${up} up, ${down} down`],
    ['log loss', `${figure(log_loss)} nats; chance is ${figure(Math.LN2)}`],
    ['AUC', `${figure(auc)}; chance is 0.5`],
    ['calibration error', `${figure(calibration_error)}; 0 is calibrated`],
    ['trust', `${figure(trust)} of the logits is used at the end`],
    ['mean ratio', `${figure(raw_weight_mean)} over thumbs-down; 1 is calibrated`],
    ['clamped', `${figures.clamped_low} at ratio.min, ${figures.clamped_high} at ratio.max`],
    ['effective sample', `${figure(figures.ess_ratio)} of the thumbs-down`],
    ['reliability plot', svg],
  ]
}

type Shown = Omit<WeighedVote, 'promptTokens'> & { readonly text?: string }

function printVotes(title: string, votes: readonly Shown[]): void {
  if (votes.length === 0) return
  print(`\n${title} weights of thumbs-down`)
  const idWidth = Math.max(...votes.map(({ id }) => id.length))
  for (const { line, id, ratio, w, text } of votes) {
    const clamped = w === ratio ? '' : `  (ratio ${figure(ratio)})`
    print(`  line ${String(line).padEnd(6)} ${id.padEnd(idWidth)}  w ${figure(w)}${clamped}${text ? `  ${text}` : ''}`)
  }
}

const oneLine = (text: string): string => {
  const flat = text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  return flat.length > TEXT_LENGTH ? `${flat.slice(0, TEXT_LENGTH - 1)}…` : flat
}
