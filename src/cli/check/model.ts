import { requireFinite } from '../../adapters/weights/adapter.js'
import { readAdapter } from '../../adapters/weights/peft.js'
import type { Config } from '../../config/config.js'
import { prepareEnvironment } from '../../engine/environment.js'
import { BcodError } from '../../errors.js'
import { gateChecks } from '../../gate/checks.js'
import { startNote } from '../../learner/config.js'
import { type Architecture, readArchitecture } from '../../model/architecture.js'
import { describeNonFinite, findNonFiniteWeight } from '../../model/non-finite.js'
import { modelTensors } from '../../model/parameters.js'
import { requireTensor, resolveTies, type TiedHead } from '../../model/tied-head.js'
import { openModelTensors } from '../../safetensors/directory.js'
import type { TensorReader } from '../../safetensors/reader.js'
import type { TextService } from '../../text/text-process.js'
import { type Finding, fail, pass, warn } from '../doctor/finding.js'
import { openText } from '../open-text.js'
import { findingOf } from './finding-of.js'

/** Model directory, weights, tokenizer, template, the gate's files, the adapter to start from, and whether servers take its rank. */
export async function checkModel(config: Config): Promise<readonly Finding[]> {
  const { path } = config.model
  if (path === null) return []
  const findings = [...(await checkFiles(path, config)), ...(await checkText(path, config))]
  const { init } = config.lora
  if (init !== null) findings.push(await findingOf('adapter', () => checkAdapter(path, init, config)))
  return [...findings, ...checkReference(config), ...checkRank(config)]
}

async function checkFiles(path: string, config: Config): Promise<readonly Finding[]> {
  const model = await findingOf('model', () => checkWeights(path, config))
  // what cannot be read was said already
  return model.status === 'fail' ? [model] : [model, await findingOf('weights', () => checkFinite(path))]
}

/** Every tensor that the architecture needs is in the files, with its shape. */
function checkWeights(path: string, { limits }: Config): Finding {
  return withModel(path, ({ architecture, note }, reader) => {
    const all = modelTensors(architecture)
    for (const tensor of all) requireTensor(tensor, architecture, reader)
    const detail = `${describe(architecture)}, ${all.length} tensors in ${path}`
    if (note !== null) return warn('model', `${detail}; ${note}`, 'Set tie_word_embeddings to false in config.json.')
    return limits.maxLength <= architecture.maxPositions
      ? pass('model', detail)
      : warn(
          'model',
          `${detail}; made for ${architecture.maxPositions} tokens, limits.maxLength is ${limits.maxLength}`,
          `Events are cut to ${architecture.maxPositions} tokens; set limits.maxLength to it.`,
        )
  })
}

/** Every weight is a number. Whether they overflow, only a step tells. */
function checkFinite(path: string): Finding {
  return withModel(path, ({ architecture }, reader) => {
    const found = findNonFiniteWeight(architecture, reader)
    if (found === null) return pass('weights', 'every one is finite')
    if (found.token === null) throw new BcodError('MODEL_NONFINITE', describeNonFinite(found), { place: path })
    return warn('weights', describeNonFinite(found), 'Votes that hold this token are put aside; all others train.')
  })
}

function withModel(path: string, look: (model: TiedHead, reader: TensorReader) => Finding): Finding {
  const architecture = readArchitecture(path)
  const reader = openModelTensors(path)
  try {
    return look(resolveTies(architecture, reader), reader)
  } finally {
    reader.close()
  }
}

const describe = ({ modelType, layers, hiddenSize, vocabSize }: Architecture) =>
  `${modelType}, ${layers} layers of ${hiddenSize}, vocabulary ${vocabSize}`

/** Tokenizer and template, each within the time that a vote has: what never ends is found here. */
async function checkText(path: string, config: Config): Promise<readonly Finding[]> {
  let text: TextService | null
  try {
    text = await openText(path, config)
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    return ['tokenizer', 'chat template'].map((name) => fail(name, error.line, error.remedy))
  }
  try {
    const own = [
      await findingOf('tokenizer', () => checkTokenizer(text, path)),
      await findingOf('chat template', () => checkTemplate(text)),
    ]
    // of a hundred pairs each would wait for a tokenizer or template that never ends
    if (own.some(({ status }) => status === 'fail')) return own
    return [...own, await findingOf('gate', () => checkGate(text, path, config))]
  } finally {
    text?.close()
  }
}

/** A pattern that goes back over what it has read takes its time on a long run of one character and a stop behind it. */
const PATIENCE = ['a', 'A', '1', ' ', '\t', '\n', '-', '!', 'é', '返'].map((run) => `${run.repeat(2_000)}\u0001`)

async function checkTokenizer(text: TextService | null, path: string): Promise<Finding> {
  if (text === null)
    return warn(
      'tokenizer',
      'there is no tokenizer.json',
      'Only events with token ids can train; add tokenizer.json for text.',
    )
  for (const run of PATIENCE) await text.encodePrompt({ kind: 'text', text: run })
  return pass('tokenizer', `${path}/tokenizer.json`)
}

/** Renders one exchange: a template that cannot is found here and not at the first event. */
async function checkTemplate(text: TextService | null): Promise<Finding> {
  const names = text?.description.templateNames ?? []
  if (!text?.description.hasTemplate && names.length > 0) {
    return warn(
      'chat template',
      `the model has several (${names.join(', ')}) and none is the default`,
      'Name one of them in model.chatTemplate; until then events with messages are refused.',
    )
  }
  if (!text?.description.hasTemplate) {
    return warn(
      'chat template',
      'the model has none',
      'Events with messages are refused; add chat_template.jinja, or publish texts or token ids.',
    )
  }
  const prompt = { kind: 'messages', messages: [{ role: 'user', content: 'Hello' }] } as const
  const completion = { kind: 'messages', messages: [{ role: 'assistant', content: 'Hi' }] } as const
  let tokens = 0
  try {
    tokens = (await text.encodePrompt(prompt)).length
    tokens += (await text.encodeCompletion(prompt, completion)).length
  } catch (error) {
    if (!(error instanceof BcodError) || !error.code.startsWith('CHAT_TEMPLATE')) throw error
    const what = tokens === 0 ? 'on a greeting' : 'on the answer to a greeting, given as a message'
    return warn('chat template', `it fails ${what} (${error.message})`, `${FAILED_TEMPLATE} ${error.remedy}`)
  }
  return pass('chat template', `a greeting and its answer take ${tokens} tokens`)
}

/** Every file of the gate is read and tokenised. */
async function checkGate(text: TextService | null, path: string, config: Config): Promise<Finding> {
  const { vocabSize, maxPositions } = readArchitecture(path)
  const maxLength = Math.min(config.limits.maxLength, maxPositions)
  const none = async () => []
  const parts = { config, text, vocabSize, maxLength, recent: none, heldOut: none }
  const checks = await gateChecks({ ...parts, showErrors: false })
  return pass('gate', checks.map(({ name }) => name).join(', '))
}

const FAILED_TEMPLATE = 'Votes that bring such messages are dead letters; texts and token ids can train.'

/** The check that the learner makes when it starts; it needs TensorFlow's types, so that is loaded here. */
async function checkAdapter(path: string, init: string, { lora, model }: Config): Promise<Finding> {
  const adapter = requireFinite(readAdapter(init), init)
  prepareEnvironment(model)
  const { loraFromAdapter, loraParameters } = await import('../../model/lora.js')
  loraFromAdapter(loraParameters(readArchitecture(path), lora), lora, adapter, init)
  return pass('adapter', `r ${adapter.r}, ${adapter.targets.length} kinds of layers, ${init}`)
}

function checkReference(config: Config): readonly Finding[] {
  const note = startNote(config)
  return note === null ? [] : [warn('reference', note, `Set model.reference to ${config.lora.init}.`)]
}

/** What vLLM's --max-lora-rank takes; an adapter of another rank is loaded under the next larger one. */
const VLLM_RANKS = [1, 8, 16, 32, 64, 128, 256, 320, 512]

function checkRank({ lora: { r } }: Config): readonly Finding[] {
  if (VLLM_RANKS.includes(r)) return []
  const fitting = VLLM_RANKS.find((rank) => rank > r)
  return [
    fitting === undefined
      ? warn(
          'rank',
          `vLLM serves no adapter of rank ${r}`,
          `Set lora.r to ${VLLM_RANKS.at(-1)} at most, or serve with something else.`,
        )
      : warn(
          'rank',
          `--max-lora-rank of vLLM takes no ${r}`,
          `Start vLLM with --max-lora-rank ${fitting}, or set lora.r to it.`,
        ),
  ]
}
