import { readFileSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { type Architecture, parseArchitecture } from '../../src/model/architecture.js'
import { ropeFrequencies } from '../../src/model/rope.js'

const llama = JSON.parse(readFileSync('tests/golden/arch/llama3_scaled_untied/config.json', 'utf8'))
delete llama.rope_parameters

const parse = (changes: object): Architecture => parseArchitecture({ ...llama, ...changes }, 'config.json')
const frequencies = (changes: object) => {
  const { headDim, ropeTheta, ropeScaling } = parse(changes)
  return [...ropeFrequencies(headDim, ropeTheta, ropeScaling)]
}
const errorLine = (changes: object): string => {
  try {
    parse(changes)
  } catch (error) {
    if (error instanceof BcodError) return error.line
  }
  throw new Error('no coded error')
}

/** θ^(−2i/d), the definition, for the head of 8 of this model. */
const plain = (theta: number) => [0, 1, 2, 3].map((i) => theta ** (-i / 4))

const LLAMA3 = { rope_type: 'llama3', factor: 8, low_freq_factor: 1, high_freq_factor: 4 }

describe('θ is read', () => {
  it.each([
    ['from rope_parameters', { rope_parameters: { rope_type: 'default', rope_theta: 5e5 } }, 5e5],
    ['from the top level', { rope_theta: 5e5 }, 5e5],
    ['from the top level beside a rope_scaling', { rope_theta: 5e5, rope_scaling: { type: 'default' } }, 5e5],
    ['from rope_scaling', { rope_theta: 3, rope_scaling: { rope_type: 'default', rope_theta: 5e5 } }, 5e5],
    [
      'from rope_parameters beside an empty rope_scaling',
      { rope_scaling: {}, rope_parameters: { rope_theta: 5e5 } },
      5e5,
    ],
    [
      'from rope_parameters beside a rope_scaling of null',
      { rope_scaling: null, rope_parameters: { rope_theta: 7 } },
      7,
    ],
    ['as 10000 where nothing is said', {}, 1e4],
    ['as 10000 where rope_parameters are empty', { rope_parameters: {} }, 1e4],
  ])('%s', (_, changes, theta) => {
    expect(parse(changes)).toMatchObject({ ropeTheta: theta, ropeScaling: null })
    expect(frequencies(changes)).toEqual(plain(theta))
  })
})

describe('scaling', () => {
  it('of a rope_scaling wins over rope_parameters, whose θ then counts no more, as in transformers', () => {
    const both = {
      rope_scaling: { type: 'linear', factor: 4 },
      rope_parameters: { rope_type: 'default', rope_theta: 7 },
    }
    expect(frequencies(both)).toEqual(plain(1e4).map((frequency) => frequency / 4))
  })

  it('that is linear divides every frequency', () => {
    expect(frequencies({ rope_scaling: { type: 'linear', factor: 2 } })).toEqual(plain(1e4).map((f) => f / 2))
  })

  it('that is dynamic changes nothing within max_position_embeddings, and nothing longer trains', () => {
    expect(frequencies({ rope_scaling: { rope_type: 'dynamic', factor: 2 } })).toEqual(plain(1e4))
    expect(parse({ rope_scaling: { rope_type: 'dynamic', factor: 2 } }).maxPositions).toBe(512)
  })

  it.each([
    ['within', { rope_parameters: { ...LLAMA3, original_max_position_embeddings: 32 } }, 32],
    [
      'at the top level, before the one within',
      { original_max_position_embeddings: 32, rope_scaling: { ...LLAMA3, original_max_position_embeddings: 9 } },
      32,
    ],
    ['nowhere: max_position_embeddings', { rope_parameters: LLAMA3 }, 512],
  ])('of Llama 3 with its original context %s', (_, changes, original) => {
    expect(parse(changes).ropeScaling).toMatchObject({ kind: 'llama3', factor: 8, originalMaxPositions: original })
    expect(frequencies(changes).every(Number.isFinite)).toBe(true)
  })

  it('of Llama 3 whose bounds cross divides what is beyond the lower one, as transformers does', () => {
    const crossed = { ...LLAMA3, low_freq_factor: 64, high_freq_factor: 16, rope_theta: 1e4 }
    // wavelengths 6.3, 63, 628 and 6283; bounds 512 / 64 = 8 and 512 / 16 = 32
    const [first, ...others] = plain(1e4)
    expect(frequencies({ rope_parameters: crossed })).toEqual([first, ...others.map((frequency) => frequency / 8)])
  })
})

test.each([
  [{ rope_parameters: { ...LLAMA3, low_freq_factor: undefined } }, 'rope_parameters.low_freq_factor is missing'],
  [{ rope_scaling: { ...LLAMA3, high_freq_factor: undefined } }, 'rope_scaling.high_freq_factor is missing'],
  [{ rope_scaling: { ...LLAMA3, factor: undefined } }, 'rope_scaling.factor is missing'],
  [{ rope_scaling: { type: 'linear' } }, 'rope_scaling.factor is missing'],
  [{ rope_scaling: { type: 'dynamic', factor: null } }, 'rope_scaling.factor: expected a positive number'],
  [{ rope_scaling: { ...LLAMA3, factor: '8' } }, 'rope_scaling.factor: expected a positive number'],
  [{ rope_scaling: { ...LLAMA3, low_freq_factor: 0 } }, 'rope_scaling.low_freq_factor: expected a positive number'],
  [{ rope_scaling: { ...LLAMA3, high_freq_factor: -4 } }, 'rope_scaling.high_freq_factor: expected a positive number'],
  [{ rope_scaling: { ...LLAMA3, factor: Number.NaN } }, 'rope_scaling.factor: expected a positive number'],
  [
    { rope_parameters: { ...LLAMA3, original_max_position_embeddings: null } },
    'rope_parameters.original_max_position_embeddings: expected a positive number',
  ],
  [
    { rope_scaling: LLAMA3, original_max_position_embeddings: '32' },
    'original_max_position_embeddings: expected a positive number',
  ],
  [{ rope_theta: null }, 'rope_theta: expected a positive number'],
  [{ rope_theta: 'big' }, 'rope_theta: expected a positive number'],
  [{ rope_theta: 0 }, 'rope_theta: expected a positive number'],
  [{ rope_theta: Number.POSITIVE_INFINITY }, 'rope_theta: expected a positive number'],
  [{ rope_parameters: { rope_theta: Number.NaN } }, 'rope_parameters.rope_theta: expected a positive number'],
  [{ rope_scaling: { rope_type: null } }, 'rope_scaling.rope_type: expected a text'],
  [{ rope_scaling: [8] }, 'rope_scaling: expected an object'],
  [{ rope_scaling: 'linear' }, 'rope_scaling: expected an object'],
  [{ rms_norm_eps: 'small' }, 'rms_norm_eps: expected a number of at least 0'],
  [{ head_dim: 7 }, 'head_dim: expected an even number, got 7'],
  [{ num_key_value_heads: 4 }, 'num_key_value_heads: expected a divisor of 6, got 4'],
  [{ hidden_size: undefined }, 'hidden_size is missing'],
])('%j is refused by the name of the key', (changes, message) => {
  expect(errorLine(changes)).toBe(`MODEL_CONFIG_INVALID config.json: ${message}`)
})

test.each([
  [
    { rope_scaling: { type: 'yarn', factor: 4 } },
    /rope scaling yarn; supported are default, linear, dynamic and llama3/,
  ],
  [{ rope_scaling: { rope_type: 'longrope', short_factor: [1], long_factor: [1] } }, /rope scaling longrope/],
  [{ rope_scaling: { type: 'mrope', mrope_section: [1] } }, /rope scaling mrope/],
  [{ rope_parameters: { full_attention: { rope_theta: 1e4 } } }, /rope_parameters by kind of layer \(full_attention\)/],
  [{ partial_rotary_factor: 0.5 }, /partial_rotary_factor 0.5/],
  [{ rope_parameters: { partial_rotary_factor: 0.25 } }, /partial_rotary_factor 0.25/],
])('%j is not supported, and the error says so', (changes, message) => {
  expect(errorLine(changes)).toMatch(/^MODEL_UNSUPPORTED config\.json: /)
  expect(errorLine(changes)).toMatch(message)
})
