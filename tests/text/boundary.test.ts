import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tokenizer } from '@huggingface/tokenizers'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Content, Message } from '../../src/events/types.js'
import { loadTextModel, type TextModel } from '../../src/text/text-model.js'
import { TokenFinder } from '../../src/text/token-finder.js'
import { errorLine } from '../events/records.js'
import { runs } from '../support/thorough.js'

const GOLDEN = 'tests/golden/text'

interface Case {
  readonly tokenizer: string
  readonly prompt: string | readonly Message[]
  readonly prompt_tokens: readonly number[]
  /** The prompt as transformers encodes it with `sanitize_control_tokens`; null if it refuses. */
  readonly escaped?: readonly number[] | null
  readonly completion: string
  /** What prompt and completion as one text have beyond the prompt; null if a token reaches over the boundary. */
  readonly completion_tokens: readonly number[] | null
}
const { cases }: { readonly cases: readonly Case[] } = JSON.parse(readFileSync(`${GOLDEN}/tokens.json`, 'utf8'))
const names = [...new Set(cases.map(({ tokenizer }) => tokenizer))]
const content = (value: Case['prompt']): Content =>
  typeof value === 'string' ? { kind: 'text', text: value } : { kind: 'messages', messages: value }

describe('the boundary between prompt and completion, against transformers', () => {
  it.each(names)('is where %s puts it when it tokenises the whole', (name) => {
    const model = loadTextModel(`${GOLDEN}/tokenizers/${name}`)!
    const end = model.special.eos
    for (const row of cases.filter(({ tokenizer, completion_tokens }) => tokenizer === name && completion_tokens)) {
      const [prompt, completion] = [content(row.prompt), content(row.completion)]
      const where = JSON.stringify([row.prompt, row.completion])
      expect([where, model.encodePrompt(prompt)]).toEqual([where, row.prompt_tokens])
      expect([where, model.encodeCompletion(prompt, completion)]).toEqual([where, [...row.completion_tokens!, end]])
    }
  })

  it.each(names)(
    'lies between what the model was given and the text, where a token of %s would reach over it',
    (name) => {
      const model = loadTextModel(`${GOLDEN}/tokenizers/${name}`)!
      for (const row of cases.filter(({ tokenizer, completion_tokens }) => tokenizer === name && !completion_tokens)) {
        const [prompt, completion] = [content(row.prompt), content(row.completion)]
        const ids = model.encodeCompletion(prompt, completion)
        expect(model.encodePrompt(prompt)).toEqual(row.prompt_tokens)
        const before = model.encodePrompt({ kind: 'text', text: 'hello' })
        const text = model
          .decode([...before, ...ids.slice(0, -1)])
          .trimStart()
          .toLowerCase()
        // some put the mark of a word's start behind a special token too, there as anywhere
        expect([text, text.replace(/(<\/?s>) /, '$1')]).toContain(`hello${row.completion}`.toLowerCase())
      }
    },
  )

  it.each(names)('escapes control tokens in messages as transformers does with %s', (name) => {
    const model = loadTextModel(`${GOLDEN}/tokenizers/${name}`, { specialTokens: 'escape' })!
    for (const row of cases.filter(({ tokenizer, escaped }) => tokenizer === name && escaped !== undefined)) {
      const encode = () => model.encodePrompt(content(row.prompt))
      if (row.escaped === null) expect(errorLine(encode)).toMatch(/^CONTROL_TOKEN_IN_TEXT/)
      else expect([row.prompt, encode()]).toEqual([row.prompt, row.escaped])
    }
  })
})

describe('the end of a prompt that is tokenised again with its completion', () => {
  /** Tokens that begin and end within each other, beside those of the tokenizer. */
  const OVERLAPPING = ['<a', '<a><b', 'b>', 'b><c><d>', '<|user|>x', '<s><s><s>', 'the']

  function modelWith(name: string, added: readonly string[]): { readonly text: TextModel; readonly whole: Tokenizer } {
    const [file, config] = ['tokenizer.json', 'tokenizer_config.json'].map((each) =>
      JSON.parse(readFileSync(`${GOLDEN}/tokenizers/${name}/${each}`, 'utf8')),
    )
    const first = 10_000
    const tokens = added.map((content, i) => ({
      id: first + i,
      content,
      special: i % 2 === 0,
      normalized: i % 3 === 2,
    }))
    const changed = { ...file, added_tokens: [...file.added_tokens, ...tokens] }
    const directory = mkdtempSync(join(tmpdir(), 'bcod-boundary-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    writeFileSync(join(directory, 'tokenizer.json'), JSON.stringify(changed))
    // without a template no end of a turn is read into the completion
    writeFileSync(join(directory, 'tokenizer_config.json'), JSON.stringify({ ...config, chat_template: undefined }))
    return { text: loadTextModel(directory)!, whole: new Tokenizer(changed, config) }
  }

  it.each(names)('gives the tokens that %s gives the whole, wherever tokens begin and end', (name) => {
    const { text, whole } = modelWith(name, OVERLAPPING)
    const encode = (of: string): readonly number[] => whole.encode(of, { add_special_tokens: false }).ids
    const pieces = [
      ...OVERLAPPING,
      '<|im_start|>',
      '<|im_end|>',
      '<s>',
      '</s>',
      '<|user|>',
      '<|end|>',
      ' ',
      '\n',
      'wor',
    ]
    const cut = (each: string, length: number) => each.slice(0, length)
    const piece = fc.oneof(
      fc.constantFrom(...pieces),
      fc.tuple(fc.constantFrom(...pieces), fc.nat(8)).map(([each, length]) => cut(each, length)),
      fc.constantFrom('word ', 'the end.', 'é🙂', '12 '),
    )
    const written = fc.array(piece, { maxLength: 8 }).map((all) => all.join(''))
    // more than is looked at of a prompt in which no token stands
    const long = written.map((text) => 'How do I get a refund? '.repeat(100) + text)
    const prompts = fc.oneof({ weight: 9, arbitrary: written }, { weight: 1, arbitrary: long })
    let compared = 0
    fc.assert(
      fc.property(prompts, written, (prompt, completion) => {
        const known = encode(prompt)
        const all = encode(prompt + completion)
        if (prompt === '' || !known.every((id, i) => id === all[i])) return
        compared += 1
        const ids = text.encodeCompletion(content(prompt), content(completion), 0, undefined, false)
        expect(ids).toEqual(all.slice(known.length))
      }),
      { numRuns: runs(80) },
    )
    expect(compared).toBeGreaterThan(runs(80) / 5)
  })

  it('holds what a longer token would take, and is short behind a control token', () => {
    const finder = new TokenFinder(OVERLAPPING)
    const last = (text: string) => text.slice(finder.lastSplit(text))
    expect(last('no token at all')).toBe('no token at all')
    expect(last('the first, the second, and on')).toBe('the second, and on')
    expect(last('the <a><')).toBe('<a><')
    expect(last('the <a><bb><c>')).toBe('b><c>')
    expect(last('the <s><s>')).toBe('the <s><s>')
  })
})
