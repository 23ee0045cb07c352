import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readArchitecture } from '../../src/model/architecture.js'
import { findNonFiniteWeight } from '../../src/model/non-finite.js'
import { openModelTensors } from '../../src/safetensors/directory.js'
import type { TensorReader } from '../../src/safetensors/reader.js'
import { spoiltModel } from '../support/spoilt-model.js'

const scratch = mkdtempSync(join(tmpdir(), 'bcod-finite-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

const SOUND = 'tests/golden/arch/llama3_scaled_untied'

/** The tensors of a model, with one number of some changed, as their own type has it. */
function changed(directory: string, numbers: Readonly<Record<string, readonly number[]>>, dtype = 'F32'): TensorReader {
  const reader = openModelTensors(directory)
  return {
    ...{ place: reader.place, names: reader.names, has: (name) => reader.has(name), close: () => reader.close() },
    floats: (name) => reader.floats(name),
    location: (name) => reader.location(name),
    info: (name) => ({ ...reader.info(name), ...(numbers[name] ? { dtype: dtype as 'F32' } : {}) }),
    bytes: (name) => (numbers[name] ? Uint8Array.from(numbers[name]) : reader.bytes(name)),
  }
}

const find = (directory: string, reader: TensorReader) => findNonFiniteWeight(readArchitecture(directory), reader)

test('a sound model has none', () => {
  expect(find(SOUND, openModelTensors(SOUND))).toBeNull()
})

// bits of NaN, infinity and the largest number of each type, little-endian
test.each([
  ['F32', [0, 0, 0xc0, 0x7f], [0, 0, 0x80, 0xff], [0xff, 0xff, 0x7f, 0x7f]],
  ['BF16', [0xc0, 0x7f], [0x80, 0xff], [0x7f, 0x7f]],
  ['F16', [0x00, 0x7e], [0x00, 0xfc], [0xff, 0x7b]],
  [
    'F64',
    [0, 0, 0, 0, 0, 0, 0xf8, 0x7f],
    [0, 0, 0, 0, 0, 0, 0xf0, 0xff],
    [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0x7f],
  ],
])('%s: NaN and infinity are found, the largest number is not', (dtype, nan, infinity, largest) => {
  const at = (bits: number[]) => find(SOUND, changed(SOUND, { 'model.norm.weight': bits }, dtype))
  expect(at(nan)).toEqual({ tensor: 'model.norm.weight', token: null })
  expect(at(infinity)).toEqual({ tensor: 'model.norm.weight', token: null })
  expect(at(largest)).toBeNull()
})

test('a single embedding is told by its token, unless something worse is there', () => {
  const spoilt = spoiltModel(join(scratch, 'model'), 150, Number.POSITIVE_INFINITY)
  expect(find(spoilt, openModelTensors(spoilt))).toEqual({ tensor: 'model.embed_tokens.weight', token: 150 })
  const worse = changed(spoilt, { 'lm_head.weight': [0, 0, 0xc0, 0x7f] })
  expect(find(spoilt, worse)).toEqual({ tensor: 'lm_head.weight', token: null })
})
