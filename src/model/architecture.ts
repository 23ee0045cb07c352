import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import type { RopeScaling } from './rope.js'

/** What the code needs of a model's `config.json`. */
export interface Architecture {
  readonly modelType: 'llama' | 'qwen2' | 'qwen3'
  readonly layers: number
  readonly hiddenSize: number
  readonly intermediateSize: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly vocabSize: number
  readonly rmsNormEps: number
  readonly ropeTheta: number
  readonly ropeScaling: RopeScaling | null
  /** The output layer is the transposed input embedding. */
  readonly tiedHead: boolean
  /** Linear layers of the attention with a bias. */
  readonly biases: readonly ('q_proj' | 'k_proj' | 'v_proj' | 'o_proj')[]
  /** RMS norms over each head of q and k (Qwen3). */
  readonly qkNorm: boolean
  /** Longest sequence the model was made for. */
  readonly maxPositions: number
  readonly bosId: number | null
  readonly eosIds: readonly number[]
}

const SUPPORTED: Readonly<Record<string, Architecture['modelType']>> = {
  LlamaForCausalLM: 'llama',
  Qwen2ForCausalLM: 'qwen2',
  Qwen3ForCausalLM: 'qwen3',
}

/**
 * Reads `config.json` of a Hugging Face model directory.
 * @throws MODEL_FILE_MISSING, MODEL_CONFIG_INVALID, MODEL_UNSUPPORTED
 */
export function readArchitecture(directory: string): Architecture {
  const place = join(directory, 'config.json')
  let text: string
  try {
    text = readFileSync(place, 'utf8')
  } catch (cause) {
    throw new BcodError('MODEL_FILE_MISSING', `cannot be read (${(cause as NodeJS.ErrnoException).code})`, {
      place,
      cause,
    })
  }
  let config: unknown
  try {
    config = JSON.parse(text)
  } catch (cause) {
    throw new BcodError('MODEL_CONFIG_INVALID', 'is not JSON', { place, cause })
  }
  return parseArchitecture(config, place)
}

/** @param place  named in errors */
export function parseArchitecture(config: unknown, place: string): Architecture {
  if (typeof config !== 'object' || config === null)
    throw new BcodError('MODEL_CONFIG_INVALID', 'is not an object', { place })
  const c = config as Readonly<Record<string, unknown>>
  const unsupported = (what: string): never => {
    throw new BcodError('MODEL_UNSUPPORTED', what, { place })
  }
  const integer = (key: string, fallback?: number): number => {
    const value = c[key] ?? fallback
    if (Number.isInteger(value) && (value as number) > 0) return value as number
    throw new BcodError('MODEL_CONFIG_INVALID', `${key}: expected a positive integer`, { place })
  }

  const name = Array.isArray(c.architectures) ? String(c.architectures[0]) : 'none given'
  const modelType =
    SUPPORTED[name] ?? unsupported(`architecture ${name}; supported are ${Object.keys(SUPPORTED).join(', ')}`)
  if ((c.hidden_act ?? 'silu') !== 'silu') unsupported(`hidden_act ${String(c.hidden_act)}; supported is silu`)
  if (c.mlp_bias === true) unsupported('mlp_bias')
  if (c.use_sliding_window === true) unsupported('use_sliding_window')
  if (c.quantization_config !== undefined) unsupported('quantized weights')

  const heads = integer('num_attention_heads')
  const hiddenSize = integer('hidden_size')
  const rope = (c.rope_parameters ?? {}) as Readonly<Record<string, unknown>>
  const eos = c.eos_token_id
  return {
    modelType,
    layers: integer('num_hidden_layers'),
    hiddenSize,
    intermediateSize: integer('intermediate_size'),
    heads,
    kvHeads: integer('num_key_value_heads', heads),
    headDim: integer('head_dim', hiddenSize / heads),
    vocabSize: integer('vocab_size'),
    rmsNormEps: Number(c.rms_norm_eps ?? 1e-6),
    // transformers 5 writes rope_parameters, older ones rope_theta and rope_scaling
    ropeTheta: Number(rope.rope_theta ?? c.rope_theta ?? 10_000),
    ropeScaling: parseRopeScaling(c.rope_scaling ?? c.rope_parameters, unsupported),
    tiedHead: c.tie_word_embeddings === true,
    biases: biasesOf(modelType, c.attention_bias === true),
    qkNorm: modelType === 'qwen3',
    maxPositions: integer('max_position_embeddings', 2048),
    bosId: Number.isInteger(c.bos_token_id) ? (c.bos_token_id as number) : null,
    eosIds: (Array.isArray(eos) ? eos : [eos]).filter((id): id is number => Number.isInteger(id)),
  }
}

function biasesOf(modelType: Architecture['modelType'], attentionBias: boolean): Architecture['biases'] {
  if (modelType === 'qwen2') return ['q_proj', 'k_proj', 'v_proj']
  return attentionBias ? ['q_proj', 'k_proj', 'v_proj', 'o_proj'] : []
}

function parseRopeScaling(value: unknown, unsupported: (what: string) => never): RopeScaling | null {
  if (typeof value !== 'object' || value === null) return null
  const scaling = value as Readonly<Record<string, unknown>>
  const type = scaling.rope_type ?? scaling.type ?? 'default'
  if (type === 'default') return null
  if (type !== 'llama3') unsupported(`rope scaling ${String(type)}; supported are default and llama3`)
  return {
    factor: Number(scaling.factor),
    lowFreqFactor: Number(scaling.low_freq_factor),
    highFreqFactor: Number(scaling.high_freq_factor),
    originalMaxPositions: Number(scaling.original_max_position_embeddings),
  }
}
