import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import type { Message } from '../../src/events/types.js'
import { loadTextModel } from '../../src/text/text-model.js'
import { errorLine } from '../events/records.js'

interface Case {
  readonly prompt: string | Message[]
  readonly completion: string | Message[]
  readonly prompt_text: string
  readonly completion_text: string
  readonly prompt_tokens: number[]
  readonly completion_tokens: number[]
}

const GOLDEN = 'tests/golden/chat'
const golden: { eos: number; rows: Case[]; decode: { ids: number[]; text: string }[] } = JSON.parse(
  readFileSync(join(GOLDEN, 'cases.json'), 'utf8'),
)
const model = loadTextModel(GOLDEN)!
const content = (value: string | Message[]) =>
  typeof value === 'string'
    ? ({ kind: 'text', text: value } as const)
    : ({ kind: 'messages', messages: value } as const)
const tokens = (...ids: number[]) => ({ kind: 'tokens', tokens: ids }) as const
const user = (text: string) => content([{ role: 'user', content: text }])
const assistant = (text: string) => content([{ role: 'assistant', content: text }])

const dirs: string[] = []
afterAll(() => {
  for (const dir of dirs) rmSync(dir, { recursive: true })
})

/** The golden tokenizer in a directory of its own, with these files added; null leaves a golden one out. */
function modelDir(files: Record<string, string | null>): string {
  const dir = mkdtempSync(join(tmpdir(), 'bcod-text-'))
  dirs.push(dir)
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja']) {
    if (files[name] === undefined) copyFileSync(join(GOLDEN, name), join(dir, name))
  }
  for (const [name, text] of Object.entries(files)) if (text !== null) writeFileSync(join(dir, name), text)
  return dir
}

describe('the text model, against transformers', () => {
  it.each(golden.rows.map((row, i) => [i, row] as const))('renders and tokenises case %i', (_, row) => {
    const prompt = content(row.prompt)
    const completion = content(row.completion)
    expect(model.renderPrompt(prompt, 0)).toBe(row.prompt_text)
    expect(model.renderCompletion(prompt, completion, 0)).toBe(row.completion_text)
    expect(model.encodePrompt(prompt)).toEqual(row.prompt_tokens)
    expect(model.encodeCompletion(prompt, completion)).toEqual(row.completion_tokens)
  })

  it.each(golden.decode.map((row, i) => [i, row] as const))('decodes case %i', (_, { ids, text }) => {
    expect(model.decode(ids)).toBe(text)
  })
})

describe('the text model', () => {
  it('knows its end token', () => {
    expect(model.special).toMatchObject({ bos: 1, eos: golden.eos, endIds: new Set([golden.eos]) })
  })

  it('uses token ids as they are', () => {
    expect(model.encodePrompt(tokens(5, 6))).toEqual([5, 6])
    expect(model.encodeCompletion(user('Hi'), tokens(7))).toEqual([7])
  })

  it('decodes without special tokens when asked, and nothing to nothing', () => {
    const [row] = golden.rows
    expect(model.decode(row!.completion_tokens, { skipSpecialTokens: true })).toBe('Click the link.')
    expect(model.decode([])).toBe('')
  })

  it('brings any text back and ends it with the end token', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const ids = model.encodeCompletion(user('Hi'), content(text))
        expect(ids.at(-1)).toBe(golden.eos)
        expect(model.decode(ids)).toBe(`${text}<|im_end|>`)
      }),
    )
  })

  it('reads a lone surrogate as U+FFFD', () => {
    expect(model.encodePrompt(content('a\ud800b'))).toEqual(model.encodePrompt(content('a\ufffdb')))
  })

  it('refuses messages as the continuation of a text', () => {
    expect(errorLine(() => model.encodeCompletion(content('Hi'), assistant('Hello.')))).toMatch(/^CHAT_TEMPLATE_FAILED/)
  })

  it('refuses a completion whose template changes the prompt before it', () => {
    const rewriting = loadTextModel(
      modelDir({ 'chat_template.jinja': '{{ messages | length }}{{ messages[0].content }}' }),
    )!
    expect(errorLine(() => rewriting.encodeCompletion(user('Hi'), assistant('Hello.')))).toBe(
      'CHAT_TEMPLATE_FAILED: the template writes the prompt otherwise once a completion follows',
    )
  })
})

describe('loadTextModel', () => {
  it('is null for a directory without a tokenizer', () => {
    expect(loadTextModel(modelDir({ 'tokenizer.json': null }))).toBeNull()
  })

  it('takes the end tokens from the model when the tokenizer names none', () => {
    const dir = modelDir({
      'tokenizer_config.json': '{}',
      'generation_config.json': '{"eos_token_id": [2, 0]}',
      'config.json': '{"bos_token_id": 1, "eos_token_id": 0}',
    })
    expect(loadTextModel(dir)!.special).toMatchObject({ bos: 1, eos: 2, endIds: new Set([2, 0]) })
  })

  it('appends the end token of the tokenizer, but not after another end token of the model', () => {
    const text = loadTextModel(modelDir({ 'config.json': '{"eos_token_id": [0, 2]}' }))!
    expect(text.encodeCompletion(content('Hi'), content('x'))).toEqual([...text.encodePrompt(content('x')), 2])
    expect(text.encodeCompletion(content('Hi'), content('x<|endoftext|>')).at(-1)).toBe(0)
  })

  it('appends nothing where the model names no end token', () => {
    const text = loadTextModel(modelDir({ 'tokenizer_config.json': null }))!
    expect(text.encodeCompletion(content('Hi'), content('x'))).toEqual(text.encodePrompt(content('x')))
  })

  it('says which messages it cannot take without a template', () => {
    const text = loadTextModel(modelDir({ 'chat_template.jinja': null }))!
    expect(text.template).toBeNull()
    expect(errorLine(() => text.encodePrompt(user('Hi')))).toBe(
      'CHAT_TEMPLATE_MISSING: messages, but the model has no chat template',
    )
    expect(text.encodePrompt(content('plain text prompt: '))).toEqual([483, 346, 259, 606, 86, 595, 28, 223])
  })

  it('names the file that is not JSON, and the one that is no tokenizer', () => {
    const broken = modelDir({ 'tokenizer.json': '{"model": ' })
    expect(errorLine(() => loadTextModel(broken))).toBe(
      `TOKENIZER_INVALID ${broken}/tokenizer.json: is not JSON (line 1, column 11: it ends too early)`,
    )
    const empty = modelDir({ 'tokenizer.json': '{}' })
    expect(errorLine(() => loadTextModel(empty))).toBe(
      `TOKENIZER_INVALID ${empty}/tokenizer.json: not a tokenizer that is supported`,
    )
  })

  it.each(['toString', 'constructor', '__proto__', { toString: 1 }, null, [null], 7])(
    'refuses with a code what it cannot load: %j in the place of any value',
    (value) => {
      const file = JSON.parse(readFileSync(join(GOLDEN, 'tokenizer.json'), 'utf8'))
      const parts = ['model', 'normalizer', 'pre_tokenizer', 'decoder', 'post_processor', 'added_tokens']
      const files = parts.flatMap((part) => [
        { 'tokenizer.json': { ...file, [part]: value } },
        { 'tokenizer.json': { ...file, [part]: { ...file[part], type: value } } },
      ])
      const keys = [
        'added_tokens_decoder',
        'additional_special_tokens',
        'chat_template',
        'eos_token',
        'tokenizer_class',
      ]
      const configs = keys.map((key) => ({ 'tokenizer_config.json': { [key]: value }, 'chat_template.jinja': null }))
      for (const changed of [...files, ...configs]) {
        const texts = Object.entries(changed).map(([name, content]) => [name, content && JSON.stringify(content)])
        const load = () => loadTextModel(modelDir(Object.fromEntries(texts)))
        expect(outcome(load)).toMatch(/^(loaded|TOKENIZER_INVALID|CHAT_TEMPLATE_FAILED)/)
      }
    },
  )
})

/** @throws what is thrown without a code */
function outcome(run: () => unknown): string {
  try {
    run()
    return 'loaded'
  } catch (error) {
    if (error instanceof BcodError) return error.code
    throw error
  }
}
