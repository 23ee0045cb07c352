import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { type AdapterTensor, adapterSha256 } from '../../../src/adapters/weights/adapter.js'
import { readAdapter, writeAdapter } from '../../../src/adapters/weights/peft.js'
import { BcodError } from '../../../src/errors.js'
import { type WritableTensor, writeSafetensors } from '../../../src/safetensors/writer.js'

const golden = join(import.meta.dirname, '../../golden/tiny_adapter')
let directory: string

/** A copy of the adapter that PEFT wrote, for each test to spoil. */
beforeEach(() => {
  const copy = mkdtempSync(join(tmpdir(), 'bcod-peft-'))
  onTestFinished(() => rmSync(copy, { recursive: true }))
  cpSync(golden, copy, { recursive: true })
  directory = copy
})

const configOf = (path: string) => JSON.parse(readFileSync(join(path, 'adapter_config.json'), 'utf8'))
const writeConfig = (changes: object) =>
  writeFileSync(join(directory, 'adapter_config.json'), JSON.stringify({ ...configOf(golden), ...changes }))

const writeTensors = (tensors: Record<string, WritableTensor>) =>
  writeSafetensors(join(directory, 'adapter_model.safetensors'), new Map(Object.entries(tensors)))

function errorLine(): string {
  try {
    readAdapter(directory)
  } catch (error) {
    if (error instanceof BcodError) return error.line
  }
  throw new Error('no coded error')
}

const q = 'base_model.model.model.layers.0.self_attn.q_proj'
const zeros = (...shape: number[]): AdapterTensor => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)) })

describe('an adapter that PEFT wrote', () => {
  it('is read with its rank, scale, modules and matrices', () => {
    const adapter = readAdapter(golden)
    expect(adapter).toMatchObject({ r: 4, alpha: 8, rslora: false, baseModel: 'tiny_llama' })
    expect(adapter.targets).toEqual(['down_proj', 'gate_proj', 'k_proj', 'o_proj', 'q_proj', 'up_proj', 'v_proj'])
    expect(adapter.tensors.size).toBe(2 * 7 * 2)
    expect(adapter.tensors.get(`${q}.lora_A.weight`)?.shape).toEqual([4, 64])
    expect(adapter.tensors.get(`${q}.lora_B.weight`)?.shape).toEqual([64, 4])
  })

  it('is written again with the same tensor file and a config that says the same', () => {
    writeAdapter(directory, readAdapter(golden))
    const file = 'adapter_model.safetensors'
    expect(readFileSync(join(directory, file)).equals(readFileSync(join(golden, file)))).toBe(true)
    const [ours, theirs] = [configOf(directory), configOf(golden)]
    expect(ours.target_modules).toEqual(theirs.target_modules.toSorted())
    for (const field of Object.keys(ours)) {
      if (field !== 'target_modules') expect([field, ours[field]]).toEqual([field, theirs[field]])
    }
    expect(readAdapter(directory)).toEqual(readAdapter(golden))
  })

  it('in half precision is read as f32', () => {
    const half = (bits: number[]) => Buffer.from(Uint16Array.from(bits).buffer)
    const file = (dtype: string, one: number) => {
      const header = JSON.stringify({
        [`${q}.lora_A.weight`]: { dtype, shape: [4, 1], data_offsets: [0, 8] },
        [`${q}.lora_B.weight`]: { dtype, shape: [1, 4], data_offsets: [8, 16] },
      })
      const length = Buffer.alloc(8)
      length.writeUInt32LE(header.length)
      const data = half([one, 0, 0, 0, 0, 0, 0, one])
      writeFileSync(join(directory, 'adapter_model.safetensors'), Buffer.concat([length, Buffer.from(header), data]))
    }
    file('F16', 0x3c00)
    expect([...readAdapter(directory).tensors.get(`${q}.lora_A.weight`)!.data]).toEqual([1, 0, 0, 0])
    file('BF16', 0x3f80)
    expect([...readAdapter(directory).tensors.get(`${q}.lora_B.weight`)!.data]).toEqual([0, 0, 0, 1])
  })

  it('with a pattern of modules has the targets that its tensors have', () => {
    writeConfig({ target_modules: '.*q_proj', use_rslora: true })
    writeTensors({ [`${q}.lora_A.weight`]: zeros(4, 2), [`${q}.lora_B.weight`]: zeros(2, 4) })
    expect(readAdapter(directory)).toMatchObject({ targets: ['q_proj'], rslora: true })
  })
})

describe('what PEFT takes, or leaves unambiguous, is taken', () => {
  it('a config with NaN in it, and fan_in_fan_out, which PEFT sets back for linear layers', () => {
    const text = JSON.stringify({ ...configOf(golden), fan_in_fan_out: true, lora_dropout: 'NAN' })
    writeFileSync(join(directory, 'adapter_config.json'), text.replace('"NAN"', 'NaN'))
    expect(readAdapter(directory)).toEqual(readAdapter(golden))
  })

  it('names with the name of the one adapter in them', () => {
    const { tensors } = readAdapter(golden)
    const named = [...tensors].map(([name, tensor]) => [name.replace(/\.weight$/, '.default.weight'), tensor])
    writeTensors(Object.fromEntries(named))
    expect(readAdapter(directory)).toEqual(readAdapter(golden))
  })

  it('but not those of several, nor named and plain ones together', () => {
    const pair = (infix: string) => ({
      [`${q}.lora_A${infix}.weight`]: zeros(4, 2),
      [`${q}.lora_B${infix}.weight`]: zeros(2, 4),
    })
    writeTensors({ ...pair('.default'), ...pair('.other') })
    expect(errorLine()).toMatch(/^ADAPTER_INVALID .*: it holds several adapters: default, other$/)
    writeTensors({ ...pair('.default'), ...pair('') })
    expect(errorLine()).toMatch(/both with and without the name of an adapter$/)
  })
})

describe('what was never fetched says so', () => {
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 4\n`
  it.each(['adapter_config.json', 'adapter_model.safetensors'])('%s as a Git LFS pointer', (name) => {
    writeFileSync(join(directory, name), pointer)
    expect(errorLine()).toMatch(/^FILE_FOREIGN .*: is a Git LFS pointer: the file itself was not fetched$/)
  })
})

describe('what bcod does not train is refused by the name of the field', () => {
  it.each([
    ['peft_type', 'IA3'],
    ['task_type', 'SEQ_CLS'],
    ['bias', 'all'],
    ['lora_bias', true],
    ['use_dora', true],
    ['use_qalora', true],
    ['init_lora_weights', 'pissa'],
    ['rank_pattern', { q_proj: 8 }],
    ['alpha_pattern', { q_proj: 8 }],
    ['modules_to_save', ['lm_head']],
    ['layers_to_transform', [0]],
    ['layer_replication', [[0, 1]]],
    ['trainable_token_indices', [1]],
  ])('%s', (field, value) => {
    writeConfig({ [field]: value })
    const place = join(directory, 'adapter_config.json')
    expect(errorLine()).toMatch(`ADAPTER_UNSUPPORTED ${place}: ${field} is ${JSON.stringify(value)}`)
  })

  it.each([
    ['base_model.model.model.embed_tokens.lora_embedding_A', /is a LoRA on the embedding/],
    ['base_model.model.model.embed_tokens.weight', /is a whole embedding or output layer/],
    ['base_model.model.lm_head.modules_to_save.weight', /is not a LoRA matrix/],
    [`${q}.lora_magnitude_vector.weight`, /is of a DoRA/],
    [`${q}.base_layer.bias`, /is a bias/],
    ['model.layers.0.self_attn.q_proj.lora_A.weight', /not named as PEFT does/],
  ])('and the tensor %s by what it is', (name, what) => {
    writeTensors({ [name]: zeros(4, 2) })
    expect(errorLine()).toMatch(new RegExp(`^ADAPTER_UNSUPPORTED .*${name} of F32 `))
    expect(errorLine()).toMatch(what)
  })
})

describe('a directory that is not a whole adapter is refused with what is missing', () => {
  it('a file', () => {
    rmSync(join(directory, 'adapter_model.safetensors'))
    expect(errorLine()).toMatch(/^ADAPTER_INVALID .*adapter_model.safetensors: is not there$/)
    writeFileSync(join(directory, 'adapter_model.bin'), 'x')
    expect(errorLine()).toMatch(/adapter_model.safetensors: is not there, but adapter_model.bin is/)
    rmSync(join(directory, 'adapter_config.json'))
    expect(errorLine()).toMatch(/^ADAPTER_INVALID .*adapter_config.json: is not there$/)
  })

  it('sense in the config', () => {
    for (const [changes, message] of [
      [{ r: 0 }, 'r is not a positive integer'],
      [{ r: '4' }, 'r is not a positive integer'],
      [{ lora_alpha: null }, 'lora_alpha is not a number'],
      [{ use_rslora: 'yes' }, 'use_rslora is not a boolean'],
    ] as const) {
      writeConfig(changes)
      expect(errorLine()).toBe(`ADAPTER_INVALID ${join(directory, 'adapter_config.json')}: ${message}`)
    }
    writeFileSync(join(directory, 'adapter_config.json'), '[1')
    expect(errorLine()).toMatch(/is not JSON \(line 1, column 3: it ends too early\)$/)
    writeFileSync(join(directory, 'adapter_config.json'), '[1]')
    expect(errorLine()).toMatch(/is not a JSON object$/)
  })

  it('the other matrix of a pair', () => {
    writeTensors({ [`${q}.lora_A.weight`]: zeros(4, 2) })
    expect(errorLine()).toMatch(new RegExp(`^ADAPTER_INVALID .*: no tensor ${q}.lora_B.weight$`))
  })

  it('the rank of the config', () => {
    writeTensors({ [`${q}.lora_A.weight`]: zeros(4, 2), [`${q}.lora_B.weight`]: zeros(4, 2) })
    expect(errorLine()).toMatch(/lora_B.weight is \[4,2\], expected \[out, 4\]$/)
  })

  it('tensors', () => {
    writeTensors({})
    expect(errorLine()).toMatch(/^ADAPTER_INVALID .*: no LoRA tensors$/)
  })
})

describe('adapter_sha256', () => {
  it('is sha256 over the f32 bytes in the code-unit order of the names', () => {
    // printf '\x00\x00\x80\x3f\x00\x00\x00\x40' | sha256sum: the bytes of 1 and 2.
    const expected = 'b9c80b5adeca450753a16950c3cc655d271f7bef7a485bc83f112b72fef21d37'
    const one = { shape: [1], data: Float32Array.of(1) }
    const two = { shape: [1], data: Float32Array.of(2) }
    const hash = adapterSha256(
      new Map([
        ['a', two],
        ['Z', one],
      ]),
    )
    expect(hash).toBe(expected)
    expect(
      adapterSha256(
        new Map([
          ['Z', one],
          ['a', two],
        ]),
      ),
    ).toBe(hash)
  })

  it('takes a part of a larger buffer for what it is', () => {
    const part = new Float32Array([9, 1, 9]).subarray(1, 2)
    const whole = Float32Array.of(1)
    expect(adapterSha256(new Map([['x', { shape: [1], data: part }]]))).toBe(
      adapterSha256(new Map([['x', { shape: [1], data: whole }]])),
    )
  })
})
