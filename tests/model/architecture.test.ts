import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { parseArchitecture, readArchitecture } from '../../src/model/architecture.js'
import { openModelTensors } from '../../src/safetensors/directory.js'

const config = (name: string) => JSON.parse(readFileSync(`tests/golden/arch/${name}/config.json`, 'utf8'))
const qwen = config('qwen2')

function errorOf(run: () => unknown): BcodError {
  try {
    run()
  } catch (error) {
    if (error instanceof BcodError) return error
    throw error
  }
  throw new Error('no error')
}

/** A copy of a small model to be spoilt. */
function copy(name = 'llama3_scaled_untied'): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-arch-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  cpSync(`tests/golden/arch/${name}`, directory, { recursive: true })
  return directory
}

describe('what transformers takes is taken', () => {
  test.each([
    ['no quantisation', { quantization_config: null, compression_config: null }],
    ['swish, which is silu by another name', { hidden_act: 'swish' }],
    ['a window, switched off', { use_sliding_window: false, sliding_window: 4, max_window_layers: 0 }],
    [
      'a window that begins behind the last layer',
      { use_sliding_window: true, sliding_window: 4, max_window_layers: 99 },
    ],
    ['a window of null', { use_sliding_window: true, sliding_window: null, max_window_layers: 0, layer_types: null }],
    [
      'a window on no layer',
      {
        use_sliding_window: true,
        sliding_window: 4,
        max_window_layers: 0,
        layer_types: ['full_attention', 'attention'],
      },
    ],
    [
      'a window as long as the model',
      { use_sliding_window: true, sliding_window: 1 << 20, max_window_layers: 0, layer_types: null },
    ],
    ['an architecture by its model_type alone', { architectures: null, model_type: 'qwen2' }],
  ])('%s', (_, changes) => {
    expect(parseArchitecture({ ...qwen, ...changes }, 'p')).toEqual(parseArchitecture(qwen, 'p'))
  })

  test('a window in a Llama, which has none', () => {
    const llama = config('llama3_scaled_untied')
    const changed = { ...llama, use_sliding_window: true, sliding_window: 4, max_window_layers: 0 }
    expect(parseArchitecture(changed, 'p')).toEqual(parseArchitecture(llama, 'p'))
  })

  test('the defaults of its configuration classes', () => {
    const bare = { ...config('qwen3'), head_dim: undefined, max_position_embeddings: undefined }
    expect(parseArchitecture(bare, 'p')).toMatchObject({ headDim: 128, maxPositions: 32_768 })
    expect(
      parseArchitecture({ ...config('llama3_scaled_untied'), max_position_embeddings: undefined }, 'p'),
    ).toMatchObject({
      maxPositions: 2048,
    })
  })

  test('NaN and Infinity, as json.load does, and a byte order mark', () => {
    const directory = copy()
    const text = JSON.stringify({
      ...config('llama3_scaled_untied'),
      extra: 'NAN',
      more: ['-INF', 'a "NaN" \\ Infinity'],
    })
    const python = text.replace('"NAN"', 'NaN').replace('"-INF"', '-Infinity')
    writeFileSync(join(directory, 'config.json'), `\uFEFF${python}`)
    expect(readArchitecture(directory)).toEqual(readArchitecture('tests/golden/arch/llama3_scaled_untied'))
  })
})

test.each([
  [
    { use_sliding_window: true, sliding_window: 4, max_window_layers: 0, layer_types: null },
    /a sliding window of 4 tokens/,
  ],
  [
    { use_sliding_window: true, sliding_window: 4, layer_types: ['full_attention', 'sliding_attention'] },
    /a sliding window of 4 tokens/,
  ],
  [
    { use_sliding_window: false, layer_types: ['full_attention', 'sliding_attention'] },
    /sliding_attention, and no window/,
  ],
  [{ layer_types: ['full_attention', 'linear_attention'] }, /layer_types with linear_attention/],
  [{ quantization_config: { quant_method: 'awq', bits: 4 } }, /quantized weights \(awq\)/],
  [{ quantization_config: {} }, /quantized weights$/],
  [{ architectures: ['MistralForCausalLM'] }, /architecture MistralForCausalLM; supported are/],
  [{ architectures: null, model_type: 'gemma' }, /architecture none given/],
  [{ hidden_act: 'gelu' }, /hidden_act gelu/],
])('%j is not supported, and the error says what it is', (changes, message) => {
  const error = errorOf(() => parseArchitecture({ ...qwen, ...changes }, 'p'))
  expect(error.code).toBe('MODEL_UNSUPPORTED')
  expect(error.message).toMatch(message)
})

describe('words that JavaScript finds in every object', () => {
  const WORDS = ['toString', 'constructor', '__proto__', 'hasOwnProperty', 'valueOf']
  const VALUES = [...WORDS, ...WORDS.map((word) => JSON.parse(`{ "${word}": 1 }`)), WORDS]
  const KEYS = [
    ...Object.keys({ ...qwen, ...config('qwen3') }),
    ...['hidden_act', 'quantization_config', 'compression_config', 'use_sliding_window', 'sliding_window'],
    ...['layer_types', 'max_window_layers', 'rope_parameters', 'rope_scaling', 'partial_rotary_factor'],
  ]

  test.each(VALUES)('%j names no architecture, activation or kind of rotary position', (value) => {
    for (const changes of [{ architectures: [value] }, { hidden_act: value }]) {
      expect(errorOf(() => parseArchitecture({ ...qwen, ...changes }, 'p')).code).toBe('MODEL_UNSUPPORTED')
    }
    const rope = { rope_scaling: null, rope_parameters: { rope_type: value } }
    expect(errorOf(() => parseArchitecture({ ...qwen, ...rope }, 'p')).code).toMatch(/^MODEL_/)
    const typed = { ...qwen, architectures: null, model_type: value }
    expect(errorOf(() => parseArchitecture(typed, 'p')).code).toBe('MODEL_UNSUPPORTED')
  })

  test.each([...new Set(KEYS)])('%s of such a value is taken, or refused with a code', (key) => {
    for (const value of [...VALUES, ...VALUES.map((each) => [each])]) {
      try {
        parseArchitecture({ ...qwen, use_sliding_window: true, [key]: value }, 'p')
      } catch (error) {
        expect(error).toBeInstanceOf(BcodError)
      }
    }
  })
})

const POINTER = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 269060552\n`

describe('a config.json that is none says what it is', () => {
  test.each([
    ['a Git LFS pointer', POINTER, 'FILE_FOREIGN', /is a Git LFS pointer/, /git lfs pull/],
    ['a web page', '<!DOCTYPE html><html>404</html>', 'FILE_FOREIGN', /is a web page/, /download the file itself/],
    ['UTF-16', Buffer.from('\uFEFF{}', 'utf16le'), 'FILE_FOREIGN', /is in UTF-16/, /UTF-8/],
    ['nothing', '', 'MODEL_CONFIG_INVALID', /is empty/, /./],
    ['an array', '[]', 'MODEL_CONFIG_INVALID', /is not a JSON object/, /./],
    ['cut short', '{"a": [1,\n 2', 'MODEL_CONFIG_INVALID', /is not JSON \(line 2, column 3: it ends too early\)/, /./],
    [
      "Python's notation",
      '{"a": True}',
      'MODEL_CONFIG_INVALID',
      /line 1, column 7: a word that is not true, false or null/,
      /./,
    ],
    ['with a comma too many', '{\n "a": 1,\n}', 'MODEL_CONFIG_INVALID', /line 3, column 1: expected a name/, /./],
    ['Latin-1', Buffer.from('{"a": "\xe9"}', 'latin1'), 'MODEL_CONFIG_INVALID', /not text in UTF-8/, /./],
  ])('%s', (_, content, code, message, remedy) => {
    const directory = copy()
    writeFileSync(join(directory, 'config.json'), content)
    const error = errorOf(() => readArchitecture(directory))
    expect(error).toMatchObject({ code, place: join(directory, 'config.json') })
    expect(error.message).toMatch(message)
    expect(error.remedy).toMatch(remedy)
  })

  test('a directory, or not there at all', () => {
    const directory = copy()
    rmSync(join(directory, 'config.json'))
    expect(errorOf(() => readArchitecture(directory)).code).toBe('MODEL_FILE_MISSING')
    cpSync('tests/golden/arch/qwen2', join(directory, 'config.json'), { recursive: true })
    expect(errorOf(() => readArchitecture(directory)).line).toMatch(
      /^MODEL_CONFIG_INVALID .*cannot be read \(EISDIR\)$/,
    )
  })
})

describe('weights that are none say what is there', () => {
  const put = (name: string, content: string | Buffer) => {
    const directory = copy()
    rmSync(join(directory, 'model.safetensors'))
    writeFileSync(join(directory, name), content)
    return errorOf(() => openModelTensors(directory))
  }

  test.each([
    ['model.safetensors', POINTER, /is a Git LFS pointer/, /git lfs pull/],
    ['model.safetensors', 'PK\x03\x04 archive of PyTorch', /is a ZIP archive/, /safetensors/],
    ['model.safetensors', 'GGUF\x03\0\0\0 and so on', /is a GGUF file/, /original Hugging Face directory/],
    ['model.safetensors.index.json', POINTER, /is a Git LFS pointer/, /git lfs pull/],
  ])('%s: %s', (name, content, message, remedy) => {
    const error = put(name, content)
    expect(error.code).toBe('FILE_FOREIGN')
    expect(error.message).toMatch(message)
    expect(error.remedy).toMatch(remedy)
  })

  test.each([
    ['pytorch_model.bin', /but pytorch_model.bin is/, /save_pretrained, which writes safetensors/],
    ['model-q4.gguf', /but model-q4.gguf is/, /GGUF file cannot be trained/],
    ['model-00001-of-00002.safetensors', /but model-00001/, /index\.json too/],
    ['adapter_model.safetensors', /but adapter_model/, /base model/],
  ])('%s alone', (name, message, remedy) => {
    const error = put(name, 'x')
    expect(error.code).toBe('MODEL_FILE_MISSING')
    expect(error.message).toMatch(message)
    expect(error.remedy).toMatch(remedy)
  })

  test('an index that names a shard that is not there, an empty file, a directory', () => {
    const index = JSON.stringify({ weight_map: { a: 'model-00001-of-00001.safetensors' } })
    expect(put('model.safetensors.index.json', index).line).toMatch(
      /^MODEL_FILE_MISSING .*model-00001-of-00001\.safetensors: /,
    )
    expect(put('model.safetensors', '').line).toMatch(/^SAFETENSORS_INVALID .*model\.safetensors: is empty$/)
    const directory = copy()
    rmSync(join(directory, 'model.safetensors'))
    cpSync('tests/golden/arch/qwen2', join(directory, 'model.safetensors'), { recursive: true })
    expect(errorOf(() => openModelTensors(directory)).line).toMatch(/^SAFETENSORS_INVALID .*is not a file$/)
  })

  test('a header whose length has the bytes of another format is still a header', () => {
    // 0x0280 bytes: a Python pickle begins so
    const directory = copy()
    const entry = { w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } }
    const header = JSON.stringify(entry).padEnd(0x280)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    writeFileSync(join(directory, 'model.safetensors'), Buffer.concat([length, Buffer.from(header), Buffer.alloc(4)]))
    expect(openModelTensors(directory).names).toEqual(['w'])
  })
})
