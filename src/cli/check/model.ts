import { readAdapter } from '../../adapters/peft.js'
import type { Config } from '../../config/config.js'
import { prepareEnvironment } from '../../engine/environment.js'
import { BcodError } from '../../errors.js'
import { type Architecture, readArchitecture } from '../../model/architecture.js'
import { modelTensors } from '../../model/parameters.js'
import { openModelTensors } from '../../model/safetensors-directory.js'
import { loadTextModel, type TextModel } from '../../model/text/text-model.js'
import { type Finding, pass, warn } from '../doctor/finding.js'
import { attempt } from './attempt.js'

/** Model directory, tokenizer, template and the adapter to start from; weights are looked up, not read. */
export async function checkModel(config: Config): Promise<readonly Finding[]> {
  const { path } = config.model
  if (path === null) return []
  const findings = [
    await attempt('model', () => checkWeights(path, config)),
    await attempt('tokenizer', () => checkTokenizer(loadTextModel(path), path)),
    await attempt('chat template', () => checkTemplate(loadTextModel(path))),
  ]
  const { init } = config.lora
  if (init !== null) findings.push(await attempt('adapter', () => checkAdapter(path, init, config)))
  return findings
}

/** Every tensor that the architecture needs is in the files, with its shape. */
function checkWeights(path: string, { limits }: Config): Finding {
  const architecture = readArchitecture(path)
  const reader = openModelTensors(path)
  try {
    const all = modelTensors(architecture)
    for (const { name, shape } of all) {
      const found = reader.info(name).shape
      if (found.join() !== shape.join())
        throw new BcodError('MODEL_TENSOR_SHAPE', `${name} is [${found}], config.json asks for [${shape}]`, {
          place: path,
        })
    }
    const detail = `${describe(architecture)}, ${all.length} tensors in ${path}`
    return limits.maxLength <= architecture.maxPositions
      ? pass('model', detail)
      : warn(
          'model',
          `${detail}; made for ${architecture.maxPositions} tokens, limits.maxLength is ${limits.maxLength}`,
          `Events are cut to ${architecture.maxPositions} tokens; set limits.maxLength to it.`,
        )
  } finally {
    reader.close()
  }
}

const describe = ({ modelType, layers, hiddenSize, vocabSize }: Architecture) =>
  `${modelType}, ${layers} layers of ${hiddenSize}, vocabulary ${vocabSize}`

function checkTokenizer(text: TextModel | null, path: string): Finding {
  if (text !== null) return pass('tokenizer', `${path}/tokenizer.json`)
  return warn(
    'tokenizer',
    'there is no tokenizer.json',
    'Only events with token ids can train; add tokenizer.json for text.',
  )
}

/** Renders one exchange: a template that cannot is found here and not at the first event. */
function checkTemplate(text: TextModel | null): Finding {
  if (!text?.template) {
    return warn(
      'chat template',
      'the model has none',
      'Events with messages are refused; add chat_template.jinja, or publish texts or token ids.',
    )
  }
  const prompt = { kind: 'messages', messages: [{ role: 'user', content: 'Hello' }] } as const
  const completion = { kind: 'messages', messages: [{ role: 'assistant', content: 'Hi' }] } as const
  const tokens = text.encodePrompt(prompt).length + text.encodeCompletion(prompt, completion).length
  return pass('chat template', `a greeting and its answer take ${tokens} tokens`)
}

/** The check that the learner makes when it starts; it needs TensorFlow's types, so that is loaded here. */
async function checkAdapter(path: string, init: string, { lora, model }: Config): Promise<Finding> {
  const adapter = readAdapter(init)
  prepareEnvironment(model.threads)
  const { loraFromAdapter, loraParameters } = await import('../../model/lora.js')
  loraFromAdapter(loraParameters(readArchitecture(path), lora), lora, adapter, init)
  return pass('adapter', `r ${adapter.r}, ${adapter.targets.length} kinds of layers, ${init}`)
}
