// The random cases of `make test-trl`: a small model, an adapter, settings and events, all drawn from two numbers.

const KINDS = ['llama', 'llama3', 'qwen2', 'qwen3']
const TARGETS = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj']
const LONGEST_PROMPT = 90
const LONGEST_COMPLETION = 60
export const MAX_LENGTH = LONGEST_PROMPT + LONGEST_COMPLETION

/**
 * @returns `config` by transformers' names, `lora`, `optimizer` and the rest by bcod's; `events` as token ids, every
 *   completion ending in `end`. The model's weights and the adapter are drawn by PyTorch, from `seed`.
 */
export function drawCase(seed, index) {
  const draw = draws(seed * 7919 + index)
  const kind = KINDS[(seed + index) % KINDS.length]
  const config = drawConfig(kind, draw)
  const lora = drawLora(config.hidden_size, draw)
  const size = draw.int(1, 8)
  const steps = draw.int(5, 10)
  const end = draw.int(0, config.vocab_size - 1)
  const shareOfUps = draw.real(0.1, 0.9)
  const tokens = (count) => Array.from({ length: count }, () => draw.int(0, config.vocab_size - 1))
  const events = Array.from({ length: steps * size - draw.int(0, size - 1) }, (_, i) => ({
    // short ones are as frequent as long ones; the first is not: one position alone gives queries and keys no gradient
    prompt_tokens: tokens(Math.floor(draw.logarithmic(i === 0 ? 8 : 1, LONGEST_PROMPT + 1))),
    completion_tokens: [...tokens(Math.floor(draw.logarithmic(1, LONGEST_COMPLETION + 1)) - 1), end],
    label: draw.chance(shareOfUps),
  }))
  return {
    name: `${seed}.${index}`,
    seed: seed * 7919 + index,
    kind,
    config,
    /** transformers 4 wrote `rope_theta` and `rope_scaling`, 5 writes `rope_parameters`. */
    oldRopeFields: draw.chance(0.5),
    sharded: draw.chance(0.3),
    gain: draw.real(0.7, 1.5),
    lora,
    beta: draw.logarithmic(0.05, 0.5),
    optimizer: {
      lr: draw.logarithmic(1e-4, 3e-3),
      beta1: draw.of(0.9, 0.8),
      beta2: draw.of(0.999, 0.95),
      eps: draw.of(1e-8, 1e-6),
      weightDecay: draw.of(0, 0.01, 0.1),
      clipNorm: draw.of(0, 0.05, 1),
      schedule: draw.of('constant', 'linear', 'cosine'),
      totalSteps: steps,
    },
    batch: { size, tokens: draw.of(MAX_LENGTH, 300, 2048) },
    executor: index % 5 === 4 ? 'xla' : 'graph',
    end,
    events,
  }
}

function drawConfig(kind, draw) {
  const kvHeads = draw.int(1, 3)
  const heads = kvHeads * draw.int(1, 3)
  const headDim = 2 * draw.int(3, 12)
  // Qwen3 always, Llama sometimes: heads that do not add up to the hidden size, of which Llama wants a multiple
  const free = kind === 'qwen3' ? draw.int(20, 90) : heads * draw.int(5, 12)
  const hidden = kind === 'qwen3' || (kind !== 'qwen2' && draw.chance(0.3)) ? free : heads * headDim
  if (Math.log2(hidden) % 1 === 0) return drawConfig(kind, draw)
  const rope = { rope_type: 'default', rope_theta: draw.logarithmic(100, 1e6) }
  const scaling = {
    rope_type: 'llama3',
    factor: draw.of(2, 8, 32),
    low_freq_factor: draw.of(1, 2),
    high_freq_factor: draw.of(4, 8),
    original_max_position_embeddings: draw.int(16, 120), // events reach beyond it
  }
  return {
    model_type: kind === 'llama3' ? 'llama' : kind,
    num_hidden_layers: draw.int(1, 4),
    hidden_size: hidden,
    intermediate_size: draw.int(24, 150),
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    ...(kind === 'qwen2' ? {} : { head_dim: headDim, attention_bias: draw.chance(0.3) }),
    vocab_size: draw.int(200, 1000),
    rms_norm_eps: draw.logarithmic(1e-7, 1e-4),
    rope_parameters: kind === 'llama3' ? { ...rope, ...scaling } : rope,
    tie_word_embeddings: draw.chance(0.5),
    max_position_embeddings: MAX_LENGTH + draw.int(2, 500),
  }
}

function drawLora(hiddenSize, draw) {
  const r = draw.int(1, 16)
  const alpha = draw.int(1, 32)
  const rslora = draw.chance(0.5)
  const chosen = TARGETS.filter(() => draw.chance(0.6))
  const scale = alpha / (rslora ? Math.sqrt(r) : r)
  // what the adapter adds to an output of size about 1
  const effect = draw.logarithmic(0.03, 0.3)
  return {
    ...{ r, alpha, rslora, targets: chosen.length > 0 ? chosen : [draw.of(...TARGETS)] },
    spread: Math.sqrt(effect / (scale * Math.sqrt(r * hiddenSize))),
  }
}

/** Numbers from a seed (mulberry32). */
function draws(seed) {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (low, high) => low + Math.floor(next() * (high - low + 1))
  return {
    int,
    real: (low, high) => low + next() * (high - low),
    logarithmic: (low, high) => low * (high / low) ** next(),
    chance: (share) => next() < share,
    of: (...values) => values[int(0, values.length - 1)],
  }
}
