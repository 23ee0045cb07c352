import type { JsonValue } from '../checkpoint/json.js'
import type { Config } from '../config/config.js'

/** The settings that decide what is learnt, without paths. `identities.config` is their hash; a replay uses them again. */
export function learningConfig({ model, lora, bco, ratio, optimizer, batch, limits, seed }: Config): JsonValue {
  const settings = {
    model: {
      ...{ dtype: model.dtype, reference: model.reference, chatTemplateKwargs: model.chatTemplateKwargs },
      ...(model.chatTemplate !== null && { chatTemplate: model.chatTemplate }),
    },
    lora: { r: lora.r, alpha: lora.alpha, rslora: lora.rslora, targets: lora.targets },
    ...{ bco, ratio, optimizer, batch: { size: batch.size, tokens: batch.tokens }, seed },
    limits: { maxLength: limits.maxLength },
  }
  return JSON.parse(JSON.stringify(settings)) as JsonValue
}

/** How a lineage is made, as each of its checkpoints keeps it in `extra`: a replay needs it. */
export const lineageSettings = (config: Config) => ({ config: learningConfig(config), modelPath: config.model.path })
