import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Pair, type PairOptions, readPairs } from '../../src/events/pairs.js'

const dir = mkdtempSync(join(tmpdir(), 'bcod-pairs-'))
afterAll(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'pairs.jsonl')

async function read(...rows: unknown[]): Promise<Pair[]> {
  return readWith({}, ...rows)
}

async function readWith(options: PairOptions, ...rows: unknown[]): Promise<Pair[]> {
  writeFileSync(path, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'))
  const pairs: Pair[] = []
  for await (const pair of readPairs(path, { vocabSize: 100, ...options })) pairs.push(pair)
  return pairs
}

const lineOf = (...rows: unknown[]) =>
  read(...rows).then(
    () => 'no error',
    (error: { line: string }) => error.line.replace(path, 'FILE'),
  )

/** What a row has without saying it. */
const PLAIN = { name: null, weight: 1 }

describe('readPairs', () => {
  it('reads text, messages and token ids', async () => {
    const messages = (role: string, content: string) => [{ role, content }]
    expect(
      await read(
        { prompt: 'Hi', chosen: 'Hello.', rejected: 'What?' },
        '',
        {
          prompt: messages('user', 'Hi'),
          chosen: messages('assistant', 'Hello.'),
          rejected: messages('assistant', 'What?'),
        },
        { prompt_tokens: [1], chosen_tokens: [2, 3], rejected_tokens: [4] },
      ),
    ).toEqual([
      {
        line: 1,
        prompt: { kind: 'text', text: 'Hi' },
        chosen: { kind: 'text', text: 'Hello.' },
        rejected: { kind: 'text', text: 'What?' },
        ...PLAIN,
      },
      {
        line: 3,
        prompt: { kind: 'messages', messages: messages('user', 'Hi') },
        chosen: { kind: 'messages', messages: messages('assistant', 'Hello.') },
        rejected: { kind: 'messages', messages: messages('assistant', 'What?') },
        ...PLAIN,
      },
      {
        line: 4,
        prompt: { kind: 'tokens', tokens: [1] },
        chosen: { kind: 'tokens', tokens: [2, 3] },
        rejected: { kind: 'tokens', tokens: [4] },
        ...PLAIN,
      },
    ])
  })

  it('names file, line and field of a bad row', async () => {
    expect(await lineOf({ prompt: 'Hi', chosen: 'Hello.' })).toBe(
      'PAIRS_INVALID FILE:1 rejected: expected text, messages or rejected_tokens, got nothing',
    )
    expect(await lineOf({ prompt: 'Hi', chosen: '', rejected: 'What?' })).toBe(
      'PAIRS_INVALID FILE:1 chosen: expected text, got an empty string',
    )
    expect(await lineOf({ prompt_tokens: [1], chosen_tokens: [100], rejected_tokens: [4] })).toBe(
      'PAIRS_INVALID FILE:1 chosen_tokens[0]: a token id is outside the vocabulary of 100',
    )
    expect(await lineOf({ prompt: 'Hi', chosen: 'Hello.', rejected: [{ role: 'assistant', content: 'What?' }] })).toBe(
      'PAIRS_INVALID FILE:1 rejected: messages can only continue a prompt that is given as messages',
    )
    expect(await lineOf('{"prompt":')).toBe('PAIRS_INVALID FILE:1: not JSON: it ends too early')
    expect(await lineOf([1])).toBe('PAIRS_INVALID FILE:1 $: expected an object, got a number')
  })

  it('reads name and weight of a row if they are asked for, and passes over such fields otherwise', async () => {
    const row = { prompt_tokens: [1], chosen_tokens: [2], rejected_tokens: [3], name: 'greeting', weight: 0.5 }
    expect(await readWith({ named: true }, row)).toMatchObject([{ name: 'greeting', weight: 0.5 }])
    expect(await read({ ...row, name: 7, weight: 'x' })).toMatchObject([PLAIN])
    for (const [bad, message] of [
      [{ name: 7 }, 'name: expected a text of at most 80 characters, got a number'],
      [{ weight: 0 }, 'weight: expected a number above 0, got a number'],
    ] as const) {
      const read = readWith({ named: true }, { ...row, ...bad })
      await expect(read).rejects.toMatchObject({ line: `PAIRS_INVALID ${path}:1 ${message}` })
    }
  })
})
