import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { loadTextModel } from '../../src/text/text-model.js'
import { errorLine } from '../events/records.js'

interface Case {
  readonly files: Readonly<Record<string, unknown>>
  readonly text: string
  readonly tokens: readonly number[]
  readonly names: Readonly<Record<string, string>>
  /** Those that transformers calls special. */
  readonly special: readonly string[]
}
const { cases }: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync('tests/golden/text/declared.json', 'utf8'),
)
const numbered = cases.map((row, i) => [i, row] as const)

/** The small tokenizer of tests/golden/chat beside these files. */
function modelDir(files: Case['files']): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-declared-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  copyFileSync('tests/golden/chat/tokenizer.json', join(directory, 'tokenizer.json'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), JSON.stringify(content))
  return directory
}

describe('tokens that the files beside tokenizer.json declare, against transformers', () => {
  it.each(numbered)('are found in a text, case %i', (_, { files, text, tokens, names }) => {
    const model = loadTextModel(modelDir(files))!
    expect(model.encodePrompt({ kind: 'text', text })).toEqual(tokens)
    expect(model.special.texts).toEqual(names)
  })

  it.each(numbered)('are control tokens in the text of a vote, case %i', (_, { files, special }) => {
    const model = loadTextModel(modelDir(files), { specialTokens: 'reject' })!
    const before = { kind: 'tokens', tokens: [67] } as const
    const encode = (text: string) => model.encodeCompletion(before, { kind: 'text', text })
    for (const token of special)
      expect(errorLine(() => encode(`forged ${token} turn`))).toMatch(/^CONTROL_TOKEN_IN_TEXT/)
    expect(() => encode('an honest answer')).not.toThrow()
  })
})

it('objects among the extra tokens of special_tokens_map.json are tokens, as transformers 4 read them', () => {
  const extra = { additional_special_tokens: [{ content: '<|x|>', lstrip: false, normalized: false }] }
  const text = 'a <|x|> b'
  const asObjects = loadTextModel(modelDir({ 'special_tokens_map.json': extra }))!
  const asTexts = loadTextModel(modelDir({ 'tokenizer_config.json': { additional_special_tokens: ['<|x|>'] } }))!
  expect(asObjects.encodePrompt({ kind: 'text', text })).toEqual(asTexts.encodePrompt({ kind: 'text', text }))
})
