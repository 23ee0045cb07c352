import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { loadTextModel, type TextModel } from '../../src/text/text-model.js'
import { usableEnd, usableStart } from '../../src/text/usable.js'

const MODELS = ['src/demo/model', 'tests/golden/chat'].map((dir) => [dir, loadTextModel(dir)!] as const)
const LIMIT = 16
const RUN = 90_000

/** What is used of a prompt, from the whole and from what was cut before it was tokenised. */
function ends(text: TextModel, prompt: string, limit = LIMIT) {
  const content = { kind: 'text', text: prompt } as const
  const [whole, cut] = [text.encodePrompt(content, 0), text.encodePrompt(content, 0, limit)]
  const begins = (ids: readonly number[]) => ids[0] === text.special.bos
  return { whole: [begins(whole), whole.slice(-limit)], cut: [begins(cut), cut.slice(-limit)], ids: cut }
}

const piece = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constantFrom(
    ' the lamp',
    'refund',
    '\n\n',
    '    ',
    '返品',
    '😀',
    '!?',
    '12345',
    '<|im_end|>',
    '</s>',
    'é',
    '\ud83d',
  ),
)
const long = fc
  .tuple(fc.array(piece, { minLength: 1, maxLength: 40 }), fc.integer({ min: 2_300, max: 9_000 }))
  .map(([pieces, length]) => pieces.join('').padEnd(1, 'x').repeat(length).slice(-length))

describe.each(MODELS)('a long prompt of %s', (_, text) => {
  it('has the same last tokens, cut before it is tokenised, as when the whole is tokenised', () => {
    fc.assert(
      fc.property(long, (prompt) => {
        const { whole, cut } = ends(text, prompt)
        expect(cut).toEqual(whole)
      }),
      { numRuns: 30 },
    )
  })

  it.each([
    ['one word', 'the'.repeat(RUN / 3)],
    ['a word of two letters', 'hello '.concat('ab'.repeat(RUN / 2))],
    ['a word of one letter', 'hello '.concat('e'.repeat(RUN))],
    ['spaces', ' '.repeat(RUN)],
    ['a script without spaces', '返'.repeat(RUN)],
    ['a special token without its end', '<|im_start'.repeat(RUN / 10)],
  ])('is cut alike where it is %s over and over', (_name, prompt) => {
    const { whole, cut, ids } = ends(text, prompt)
    expect(cut).toEqual(whole)
    expect(ids.length).toBeGreaterThan(LIMIT)
  })

  it('keeps the BOS that it begins with, and gets none that it does not have', () => {
    const { bos: id } = text.special
    const bos = id === null ? '' : text.decode([id])
    for (const prompt of [`${bos}${'word '.repeat(2_000)}`, `a${bos}${'word '.repeat(2_000)}`]) {
      const { whole, cut } = ends(text, prompt)
      expect(cut).toEqual(whole)
    }
  })

  it('costs little: a megabyte is not tokenised whole, nor is a completion that can never fit', () => {
    const prompt = 'How do I get a refund for the lamp? '.repeat(29_000)
    expect(text.encodePrompt({ kind: 'text', text: prompt }, 0, 1024).length).toBeLessThan(10_000)
    const completion = text.encodeCompletion({ kind: 'text', text: 'a' }, { kind: 'text', text: prompt }, 0, 1024)
    expect(completion.length).toBeGreaterThan(1024)
    expect(completion.length).toBeLessThan(10_000)
  })
})

test('a text whose characters make few tokens is looked at as far as they ask for', () => {
  const asked: number[] = []
  const count = (text: string) => {
    asked.push(text.length)
    return text.length / 500
  }
  const text = 'x y'.repeat(300_000)
  for (const usable of [usableEnd(text, 744, count), usableStart(text, 744, count)])
    expect(usable.length / 500).toBeGreaterThanOrEqual(1_000)
  expect(Math.max(...asked)).toBeLessThan(2 * 500 * 1_000 + 10)
  expect(usableEnd(text, 4_000, count)).toBe(text)
  expect(usableStart(text, 4_000, count)).toBe(text)
})
