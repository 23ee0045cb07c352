import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Side } from '../../src/gate/check.js'
import { compareVersions } from '../../src/gate/comparison.js'
import { readGolden } from '../../src/gate/golden.js'
import { readProbe } from '../../src/gate/probe.js'
import type { TextService } from '../../src/text/text-process.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { subjectOf } from './subject.js'

/** Tokens are code points. */
const text: TextService = {
  description: { hasTemplate: false, templateNames: [], bos: null, endIds: new Set([0]) },
  tokenise: async () => [],
  encodePrompt: async () => [1],
  encodeCompletion: async () => [],
  decode: async (answers) => answers.map((ids) => String.fromCodePoint(...ids)),
  close: () => undefined,
}

const LOGPS: Readonly<Partial<Record<Side, Readonly<Record<number, number>>>>> = {
  base: { 10: -6, 11: -9, 20: -6, 21: -9 },
  live: { 10: -5, 11: -6, 20: -7, 21: -7 },
  candidate: { 10: -4, 11: -8, 20: -5, 21: -6 },
}

/** Two pairs, one golden prompt of at most three tokens, and a model whose log-probabilities are those of the tokens. */
async function place(onlyIfSpoken = false) {
  const directory = temporaryDirectory()
  const file = (name: string, rows: readonly object[]) => {
    const path = join(directory, name)
    writeFileSync(path, rows.map((row) => JSON.stringify(row)).join('\n'))
    return path
  }
  const row = (chosen: number, rejected: number) => ({
    ...{ prompt_tokens: [1, 2], chosen_tokens: [chosen], rejected_tokens: [rejected] },
  })
  const probe = await readProbe(file('tone.jsonl', [row(10, 11), row(20, 21)]), {
    ...{ text: null, vocabSize: 100, maxLength: 8 },
  })
  const golden = await readGolden(file('greeting.jsonl', [{ prompt: 'a', max_tokens: 3 }]), text, 16)
  const { model } = subjectOf({
    logps: async (side, pairs) => pairs.map(({ completionTokens: [token] }) => LOGPS[side]![token as number] as number),
    answers: async (side) => [[...(side === 'live' ? 'hello' : 'howdy')].map((c) => c.codePointAt(0) as number)],
  })
  return { questions: { probes: [{ probe, onlyIfSpoken }], golden: [golden] }, model }
}

test('the margins of A and B, the difference with its interval, and the answers side by side', async () => {
  // margins of A 1, 0; of B 4, 1: differences 3, 1, s = √2, t of one degree of freedom 12.7062
  const { questions, model } = await place()
  const { margins, answers, left_out } = await compareVersions(questions, model, text, new AbortController().signal)
  const [tone] = margins
  expect(tone).toMatchObject({ probe: 'tone', pairs: 2, a: 0.5, b: 2.5, difference: 2, detail: null })
  expect([tone?.low, tone?.high]).toEqual([expect.closeTo(2 - 12.706204736, 6), expect.closeTo(2 + 12.706204736, 6)])
  expect(answers).toEqual([{ prompt: 'greeting:1', a: 'hel', b: 'how' }])
  expect(left_out).toEqual([])
})

test('a probe that the base could not have written is skipped', async () => {
  const { questions, model } = await place(true)
  const { margins } = await compareVersions(questions, model, text, new AbortController().signal)
  expect(margins).toMatchObject([{ a: null, b: null, difference: null, detail: expect.stringContaining('-6.0 nats') }])
})

test('what there is no time for is named, and what is known is kept', async () => {
  const { questions, model } = await place()
  const time = new AbortController()
  const slow = {
    ...model,
    answers: async () => {
      time.abort()
      time.signal.throwIfAborted()
      return []
    },
  }
  const found = await compareVersions(questions, slow, text, time.signal)
  expect([found.margins.length, found.answers, found.left_out]).toEqual([1, null, ['golden']])
  const none = await compareVersions(questions, model, text, time.signal)
  expect([none.margins, none.answers, none.left_out]).toEqual([[], null, ['tone', 'golden']])
})

test('another failure is no lack of time', async () => {
  const { questions, model } = await place()
  const broken = { ...model, logps: () => Promise.reject(new Error('broken')) }
  await expect(compareVersions(questions, broken, text, new AbortController().signal)).rejects.toThrow('broken')
})
