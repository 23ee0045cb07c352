import { Command, InvalidArgumentError, Option } from 'commander'
import { textOptions } from '../config/text-options.js'
import { EMBEDDED_MODEL } from '../demo/settings.js'
import { BcodError } from '../errors.js'
import { outsideVocabulary } from '../events/content.js'
import type { Content } from '../events/types.js'
import { readArchitecture } from '../model/architecture.js'
import type { TextProcess } from '../text/text-process.js'
import { addModelOptions, type LearnerFlags, learnerConfig } from './learner-config.js'
import { integerFrom, numberFrom } from './numbers.js'
import { openLearner } from './open-learner.js'
import { openText } from './open-text.js'
import { example, printAnswer } from './print.js'

interface GenerateFlags extends LearnerFlags {
  readonly prompt?: string
  readonly promptTokens?: readonly number[]
  readonly raw?: boolean
  readonly maxTokens: number
  readonly temperature: number
  readonly seed?: number
}

/** The learner only answers here: its own programs stay as small as they can be. */
const NO_TRAINING = { batch: { size: 1 }, limits: { maxLength: 32 } }

/** `bcod generate`. */
export function generateCommand(): Command {
  return addModelOptions(new Command('generate'))
    .description('answer one prompt with a model and an adapter; the answer alone goes to stdout')
    .option('--adapter <dir>', 'PEFT adapter, or a checkpoint')
    .option('--prompt <text>', 'a user message for the chat template, if the model has one; otherwise the text itself')
    .option('--raw', 'take --prompt as the text itself, without chat template')
    .addOption(
      new Option('--prompt-tokens <ids>', 'token ids instead of text, such as 1,15,7')
        .conflicts('prompt')
        .argParser(tokenIds),
    )
    .option('--max-tokens <n>', 'longest answer', integerFrom(1), 128)
    .option('--temperature <t>', '0 takes the likeliest token each time', numberFrom(0), 1)
    .option('--seed <n>', 'another seed, another answer (default: the key seed)', integerFrom(0))
    .addHelpText(
      'after',
      `
Without --model, the small model of the demo answers. A model without tokenizer answers --prompt-tokens with ids.
On a terminal, control characters in the answer are shown as \\u escapes; into a pipe or a file it goes as it is.
${example(
  'bcod generate --prompt "How do I keep bread fresh?"',
  'bcod generate --model ./model --adapter run1/adapter --prompt "How do I keep bread fresh?" --temperature 0',
)}`,
    )
    .action(generate)
}

async function generate(flags: GenerateFlags): Promise<void> {
  const config = learnerConfig(flags, { ...NO_TRAINING, model: { path: EMBEDDED_MODEL } })
  const architecture = readArchitecture(config.model.path)
  const text = await openText(config.model.path, config, { ...textOptions(config), specialTokens: 'allow' })
  const prompt = flags.promptTokens ?? (await encode(flags, text))
  const outside = prompt.find((id) => id >= architecture.vocabSize)
  if (outside !== undefined)
    throw new BcodError('USAGE', outsideVocabulary(architecture.vocabSize), { place: '--prompt-tokens' })
  const room = architecture.maxPositions - prompt.length
  if (room < 1)
    throw new BcodError(
      'USAGE',
      `the prompt has ${prompt.length} tokens, the model takes ${architecture.maxPositions}`,
      {
        remedy: 'Shorten the prompt: an answer needs room for one token at least.',
      },
    )
  const maxTokens = Math.min(flags.maxTokens, room)
  const decoder = { rows: 1, length: prompt.length + maxTokens }
  const learner = await openLearner(config, { training: false, decoder })
  const eosIds = text?.description.endIds ?? new Set(architecture.eosIds)
  const [ids = []] = learner.generate([prompt], {
    maxTokens,
    temperature: flags.temperature,
    seed: flags.seed ?? config.seed,
    eosIds,
  })
  learner.dispose()
  const [answer] = text ? await text.decode([ids], { skipSpecialTokens: true }) : [ids.join(',')]
  printAnswer(answer ?? '')
}

async function encode({ prompt, raw }: GenerateFlags, text: TextProcess | null): Promise<readonly number[]> {
  if (prompt === undefined) throw new BcodError('USAGE', 'expected --prompt or --prompt-tokens', { place: 'generate' })
  if (text === null) {
    throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'text, but the model has no tokenizer', {
      remedy: 'Give --prompt-tokens, or add tokenizer.json to the model directory.',
    })
  }
  const content: Content =
    raw || !text.description.hasTemplate
      ? { kind: 'text', text: prompt }
      : { kind: 'messages', messages: [{ role: 'user', content: prompt }] }
  return text.encodePrompt(content)
}

function tokenIds(value: string): readonly number[] {
  const ids = value.split(',').map(Number)
  if (value.trim() === '' || !ids.every((id) => Number.isSafeInteger(id) && id >= 0))
    throw new InvalidArgumentError('expected token ids such as 1,15,7')
  return ids
}
