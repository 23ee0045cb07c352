import { BcodError } from '../../errors.js'
import type { JsonFile } from '../../files/read-json.js'
import type { Adapter } from './adapter.js'

/** What `adapter_config.json` says about the whole adapter; which modules it covers, its tensors say. */
export type PeftConfig = Pick<Adapter, 'r' | 'alpha' | 'rslora' | 'baseModel'>

/**
 * Reads `adapter_config.json` as PEFT 0.21 writes it. Fields that leave a trained LoRA as it is (dropout, how it was
 * initialised, where it came from) are passed over; every one that would change what the adapter computes is refused.
 *
 * @throws ADAPTER_INVALID, ADAPTER_UNSUPPORTED
 */
export function parsePeftConfig(config: JsonFile, place: string): PeftConfig {
  const invalid = (message: string): never => {
    throw new BcodError('ADAPTER_INVALID', message, { place })
  }
  refuseUnsupported(config, place)
  const { r, lora_alpha: alpha, use_rslora: rslora = false, base_model_name_or_path: baseModel = null } = config
  if (typeof r !== 'number' || !Number.isSafeInteger(r) || r < 1) return invalid('r is not a positive integer')
  if (typeof alpha !== 'number' || !Number.isFinite(alpha)) return invalid('lora_alpha is not a number')
  if (typeof rslora !== 'boolean') return invalid('use_rslora is not a boolean')
  return { r, alpha, rslora, baseModel: typeof baseModel === 'string' ? baseModel : null }
}

/** `adapter_config.json` for PEFT and vLLM; the same adapter gives the same text. */
export function peftConfigText(adapter: Adapter): string {
  const config = {
    alpha_pattern: {},
    base_model_name_or_path: adapter.baseModel,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    lora_alpha: adapter.alpha,
    lora_bias: false,
    lora_dropout: 0,
    modules_to_save: null,
    peft_type: 'LORA',
    r: adapter.r,
    rank_pattern: {},
    revision: null,
    target_modules: adapter.targets,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: adapter.rslora,
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

function refuseUnsupported(config: JsonFile, place: string): void {
  const refuse = (field: string, value: unknown) => {
    const why = WHY[field]
    throw new BcodError('ADAPTER_UNSUPPORTED', `${field} is ${JSON.stringify(value)}${why ? `: ${why}` : ''}`, {
      place,
    })
  }
  for (const [field, only] of Object.entries(ONLY)) {
    const value = config[field] ?? only[0]
    if (!only.includes(value)) refuse(field, value)
  }
  for (const field of EMPTY) {
    if (!isEmpty(config[field])) refuse(field, config[field])
  }
}

/** Fields with the values that are accepted; the first is PEFT's default. */
const ONLY: Readonly<Record<string, readonly unknown[]>> = {
  peft_type: [undefined, 'LORA'],
  task_type: ['CAUSAL_LM'],
  bias: ['none'],
  lora_bias: [false],
  use_dora: [false],
  use_qalora: [false],
  use_bdlora: [false],
  // for layers stored the other way round, which none of the models has: PEFT sets it back to false with a warning
  fan_in_fan_out: [false, true],
  // The other ways (PiSSA, OLoRA, CorDA, LoftQ) change the base weights, which the adapter alone does not carry.
  init_lora_weights: [true, false, 'gaussian', 'orthogonal', 'eva'],
}

/** What a refused field stands for, where its name does not say it. */
const WHY: Readonly<Record<string, string>> = {
  use_dora: 'DoRA learns magnitudes beside the matrices',
  bias: 'it carries trained biases',
  lora_bias: 'it carries trained biases',
  rank_pattern: 'layers have ranks of their own',
  alpha_pattern: 'layers have scales of their own',
  modules_to_save: 'it carries whole modules beside the LoRA',
  trainable_token_indices: 'it carries trained embeddings',
  init_lora_weights: 'the base weights were changed with it, and the adapter alone does not carry that',
}

/** Fields that must be absent, null, false or empty. */
const EMPTY = [
  'rank_pattern',
  'alpha_pattern',
  'modules_to_save',
  'layers_to_transform',
  'layer_replication',
  'target_parameters',
  'trainable_token_indices',
  'alora_invocation_tokens',
  'arrow_config',
  'kasa_config',
  'velora_config',
  'monteclora_config',
]

const isEmpty = (value: unknown): boolean =>
  !value || (typeof value === 'object' && value !== null && Object.keys(value).length === 0)
