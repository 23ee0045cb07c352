import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { brokenRules, goldenCheck, readGolden, repetitionOf, scriptShare } from '../../src/gate/golden.js'
import { readGoldenRows } from '../../src/gate/golden-file.js'
import type { TextService } from '../../src/text/text-process.js'
import { subjectOf } from './subject.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-golden-'))
afterAll(() => rmSync(directory, { recursive: true }))
const path = join(directory, 'tone.jsonl')
const written = (...rows: readonly unknown[]) => {
  writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
  return path
}

/** Tokens are code points; 0 ends a text. */
const text: TextService = {
  description: { hasTemplate: false, templateNames: [], bos: null, endIds: new Set([0]) },
  tokenise: async () => [],
  encodePrompt: async (prompt) =>
    prompt.kind === 'text' ? [...prompt.text].map((c) => c.codePointAt(0) as number) : [],
  encodeCompletion: async () => [],
  decode: async (answers) => answers.map((ids) => String.fromCodePoint(...ids.filter((id) => id !== 0))),
  close: () => undefined,
}

const answering = (...answers: readonly string[]) =>
  subjectOf({
    answers: async () => answers.map((answer) => [...answer].map((c) => (c === '.' ? 0 : c.codePointAt(0)!))),
  })

describe('golden prompts', () => {
  it('pass if every answer keeps to its rules', async () => {
    const rows = [
      { prompt: 'a', name: 'greeting', length: [2, 10], script: 'Latin', ends: true },
      { prompt: 'b', max_tokens: 3 },
    ]
    const golden = await readGolden(written(...rows), text, 64)
    const found = await goldenCheck(golden, text).run(answering('hello.', 'abcdefgh'))
    expect(found).toMatchObject({ outcome: 'passed', value: 0, bound: 0, detail: '2 answers' })
  })

  it('are refused if one does not, and the report says which and why, and quotes nothing', async () => {
    const rows = [
      { prompt: 'a', name: 'greeting', length: [2, 4] },
      { prompt: 'b', script: 'Cyrillic', ends: true, max_tokens: 5 },
      { prompt: 'c' },
    ]
    const found = await goldenCheck(await readGolden(written(...rows), text, 64), text).run(
      answering('hello', 'привtest', 'abababababababab'),
    )
    expect(found).toMatchObject({
      ...{ outcome: 'refused', value: 3 },
      detail:
        'greeting: 5 characters, at most 4; ' +
        'line 2: 80 % of its letters are Cyrillic, it did not end within 5 tokens; ' +
        'line 3: repetition 0.85, at most 0.5',
    })
  })

  it('an answer of nothing is too short', () => {
    const rules = { line: 1, name: null, prompt: { kind: 'text', text: 'a' } as const, maxTokens: 4 }
    const more = { length: [1, 9] as const, repetition: 0.5, script: null, ends: false }
    expect(brokenRules({ text: ' ', tokens: [0], ended: true }, { ...rules, ...more })).toEqual([
      '0 characters, at least 1',
    ])
  })
})

it('repetition is the share of runs of four tokens that stood there before', () => {
  expect(repetitionOf([1, 2, 3])).toBe(0)
  expect(repetitionOf([1, 2, 3, 4, 5, 6])).toBe(0)
  // runs 1212 2121 1212 2121 1212: two of five are new
  expect(repetitionOf([1, 2, 1, 2, 1, 2, 1, 2])).toBeCloseTo(3 / 5, 12)
})

it('the share of a script is that of the letters alone', () => {
  expect(scriptShare('abc, 123!', 'Latin')).toBe(1)
  expect(scriptShare('12', 'Latin')).toBe(1)
  expect(scriptShare('ab漢字', 'Han')).toBe(0.5)
})

describe('a file of golden prompts', () => {
  it.each([
    [{}, 'prompt: expected text, messages or prompt_tokens, got nothing'],
    [{ prompt_tokens: [1] }, 'prompt_tokens: expected text or messages: the answer is read as text'],
    [
      { prompt: 'a', script: 'Elvish' },
      'script: expected a Unicode script such as Latin or Cyrillic, got a string of 6 characters',
    ],
    [{ prompt: 'a', length: [5, 2] }, 'length: expected [least, most] characters, got an array of 2'],
    [{ prompt: 'a', max_tokens: 64 }, 'max_tokens: expected an integer from 1 to 63, got a number'],
    [
      { prompt: 'a', repetion: 0.1 },
      '$: expected no fields but prompt, tools, chat_template_kwargs, name, max_tokens, length, repetition, script, ends',
    ],
  ])('with the row %j is an error with file and line', async (row, message) => {
    const reading = readGoldenRows(written({ prompt: 'a' }, row), 64)
    await expect(reading).rejects.toMatchObject({ line: `GATE_GOLDEN_INVALID ${path}:2 ${message}` })
  })

  it('without a row asks nothing, which is an error', async () => {
    await expect(readGoldenRows(written(), 64)).rejects.toMatchObject({ code: 'GATE_GOLDEN_INVALID' })
  })
})
