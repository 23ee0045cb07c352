import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readDeclaredTokens } from '../../src/text/added-tokens.js'
import { readSpecialTokens } from '../../src/text/special-tokens.js'

/** Llama 3's ids. */
const IDS = new Map([
  ['<|begin_of_text|>', 128000],
  ['<|end_of_text|>', 128001],
  ['<|eot_id|>', 128009],
])
let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'bcod-special-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const read = (tokenizerConfig: Record<string, unknown>) =>
  readSpecialTokens(dir, readDeclaredTokens(dir, tokenizerConfig), (text) => IDS.get(text))

describe('readSpecialTokens', () => {
  it('takes the end of turn of an instruct model as its end token and keeps the others as ends', () => {
    writeFileSync(
      join(dir, 'generation_config.json'),
      '{"bos_token_id": 128000, "eos_token_id": [128001, 128008, 128009]}',
    )
    writeFileSync(join(dir, 'config.json'), '{"bos_token_id": 128000, "eos_token_id": 128001}')
    expect(read({ bos_token: '<|begin_of_text|>', eos_token: '<|eot_id|>' })).toEqual({
      texts: { bos_token: '<|begin_of_text|>', eos_token: '<|eot_id|>' },
      bos: 128000,
      eos: 128009,
      endIds: new Set([128009, 128001, 128008]),
    })
  })

  it('reads tokens written as objects, and those of special_tokens_map.json', () => {
    writeFileSync(
      join(dir, 'special_tokens_map.json'),
      '{"bos_token": {"content": "<|begin_of_text|>"}, "eos_token": "<|end_of_text|>"}',
    )
    const { texts, bos, eos } = read({
      eos_token: { content: '<|eot_id|>' },
      add_bos_token: true,
      pad_token: null,
    })
    expect(texts).toEqual({ bos_token: '<|begin_of_text|>', eos_token: '<|end_of_text|>' })
    expect([bos, eos]).toEqual([128000, 128001])
  })

  it('knows of none where no file names one', () => {
    expect(read({})).toEqual({ texts: {}, bos: null, eos: null, endIds: new Set() })
  })
})
