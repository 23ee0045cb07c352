import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { type JsonFile, readJson } from '../files/read-json.js'
import type { RopeScaling } from './rope.js'
import { parseRope, type Refuse } from './rope-config.js'

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
  /** The output layer is the transposed input embedding; `resolveTies` looks whether the files agree. */
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

type ModelType = Architecture['modelType']

/** A Map, in which a name from a file finds nothing of an object's own, such as `toString`. */
const SUPPORTED: ReadonlyMap<unknown, ModelType> = new Map([
  ['LlamaForCausalLM', 'llama'],
  ['Qwen2ForCausalLM', 'qwen2'],
  ['Qwen3ForCausalLM', 'qwen3'],
])

/** What transformers' own configuration classes take if a key is missing. */
const DEFAULTS: Readonly<Record<ModelType, { readonly maxPositions: number; readonly headDim?: number }>> = {
  llama: { maxPositions: 2048 },
  qwen2: { maxPositions: 32_768 },
  qwen3: { maxPositions: 32_768, headDim: 128 },
}

/**
 * Reads `config.json` of a Hugging Face model directory.
 * @throws MODEL_FILE_MISSING, MODEL_CONFIG_INVALID, MODEL_UNSUPPORTED, FILE_FOREIGN
 */
export function readArchitecture(directory: string): Architecture {
  const place = join(directory, 'config.json')
  const config = readJson(place, 'MODEL_CONFIG_INVALID')
  if (config === null) throw new BcodError('MODEL_FILE_MISSING', 'is not there', { place })
  return parseArchitecture(config, place)
}

/** @param place  named in errors */
export function parseArchitecture(c: JsonFile, place: string): Architecture {
  const refuse: Refuse = {
    invalid: (message) => {
      throw new BcodError('MODEL_CONFIG_INVALID', message, { place })
    },
    unsupported: (what) => {
      throw new BcodError('MODEL_UNSUPPORTED', what, { place })
    },
  }
  /** null and a key that is not there are the same. */
  const integer = (key: string, fallback?: number): number => {
    const value = c[key] ?? fallback
    if (Number.isInteger(value) && (value as number) > 0) return value as number
    return refuse.invalid(value === undefined ? `${key} is missing` : `${key}: expected a positive integer`)
  }

  const modelType = modelTypeOf(c, refuse)
  const defaults = DEFAULTS[modelType]
  refuseUnsupported(c, modelType, refuse)
  const heads = integer('num_attention_heads')
  const hiddenSize = integer('hidden_size')
  const kvHeads = integer('num_key_value_heads', heads)
  const headDim = integer('head_dim', defaults.headDim ?? hiddenSize / heads)
  const layers = integer('num_hidden_layers')
  const maxPositions = integer('max_position_embeddings', defaults.maxPositions)
  if (heads % kvHeads !== 0) refuse.invalid(`num_key_value_heads: expected a divisor of ${heads}, got ${kvHeads}`)
  if (headDim % 2 !== 0) refuse.invalid(`head_dim: expected an even number, got ${headDim}`)
  refuseSlidingWindow(c, { modelType, layers, maxPositions }, refuse)
  const rope = parseRope(c, maxPositions, refuse)
  const eos = c.eos_token_id
  return {
    modelType,
    layers,
    hiddenSize,
    intermediateSize: integer('intermediate_size'),
    heads,
    kvHeads,
    headDim,
    vocabSize: integer('vocab_size'),
    rmsNormEps: rmsNormEps(c, refuse),
    ropeTheta: rope.theta,
    ropeScaling: rope.scaling,
    tiedHead: c.tie_word_embeddings === true,
    biases: biasesOf(modelType, c.attention_bias === true),
    qkNorm: modelType === 'qwen3',
    maxPositions,
    bosId: Number.isInteger(c.bos_token_id) ? (c.bos_token_id as number) : null,
    eosIds: (Array.isArray(eos) ? eos : [eos]).filter((id): id is number => Number.isInteger(id)),
  }
}

/** By `architectures`, or `model_type` if there are none. */
function modelTypeOf({ architectures, model_type: type }: JsonFile, { unsupported }: Refuse): ModelType {
  const supported = `supported are ${[...SUPPORTED.keys()].join(', ')}`
  const name = Array.isArray(architectures) ? architectures[0] : undefined
  if (name !== undefined) return SUPPORTED.get(name) ?? unsupported(`architecture ${shown(name)}; ${supported}`)
  const known = [...SUPPORTED.values()].find((each) => each === type)
  return known ?? unsupported(`architecture none given; ${supported}`)
}

function refuseUnsupported(c: JsonFile, modelType: ModelType, { unsupported }: Refuse): void {
  const activation = c.hidden_act ?? 'silu'
  // two names of one function
  if (activation !== 'silu' && activation !== 'swish') unsupported(`hidden_act ${shown(activation)}; supported is silu`)
  if (modelType === 'llama' && c.mlp_bias === true) unsupported('mlp_bias')
  for (const key of ['quantization_config', 'compression_config']) {
    const quantised = c[key]
    if (quantised === undefined || quantised === null) continue
    const method = (quantised as JsonFile).quant_method
    unsupported(`quantized weights${typeof method === 'string' ? ` (${method})` : ''}`)
  }
}

/**
 * A window that no token can look beyond is none: where no layer slides, or it holds the longest sequence. As in
 * transformers, Llama has none, `layer_types` decide where they are given, and 4096 is the default.
 */
function refuseSlidingWindow(
  c: JsonFile,
  { modelType, layers, maxPositions }: { modelType: ModelType; layers: number; maxPositions: number },
  { unsupported }: Refuse,
): void {
  if (modelType === 'llama') return
  const { layer_types: types, max_window_layers: first } = c
  const on = c.use_sliding_window === true
  const window = c.sliding_window === undefined ? 4096 : c.sliding_window
  if (Array.isArray(types)) {
    const other = types.find((type) => !['full_attention', 'attention', 'sliding_attention'].includes(type))
    if (other !== undefined) unsupported(`layer_types with ${shown(other)}`)
    if (!types.includes('sliding_attention')) return
    if (!on || typeof window !== 'number') unsupported('layer_types with sliding_attention, and no window for it')
  } else {
    if (!on || window === null) return
    if ((typeof first === 'number' ? first : 28) >= layers) return
  }
  if (typeof window === 'number' && window >= maxPositions) return
  unsupported(`a sliding window of ${shown(window)} tokens (use_sliding_window)`)
}

function rmsNormEps({ rms_norm_eps: eps }: JsonFile, { invalid }: Refuse): number {
  if (eps === undefined || eps === null) return 1e-6
  if (typeof eps === 'number' && Number.isFinite(eps) && eps >= 0) return eps
  return invalid('rms_norm_eps: expected a number of at least 0')
}

function biasesOf(modelType: ModelType, attentionBias: boolean): Architecture['biases'] {
  if (modelType === 'qwen2') return ['q_proj', 'k_proj', 'v_proj']
  return attentionBias ? ['q_proj', 'k_proj', 'v_proj', 'o_proj'] : []
}

/** A value of the file, for a message. `String` would call a `toString` that the file gives an object. */
const shown = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))
