import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Content, Message } from '../../src/events/types.js'
import { loadTextModel } from '../../src/text/text-model.js'
import { errorLine } from '../events/records.js'

const GOLDEN = 'tests/golden/text'

interface Case {
  readonly tokenizer: string
  readonly prompt: string | readonly Message[]
  readonly prompt_tokens: readonly number[]
  /** The prompt as transformers encodes it with `sanitize_control_tokens`; null where it refuses. */
  readonly escaped?: readonly number[] | null
  readonly completion: string
  /** What prompt and completion as one text have beyond the prompt; null where a token reaches over the boundary. */
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
