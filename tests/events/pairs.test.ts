import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { type Pair, readPairs } from '../../src/events/pairs.js'

const dir = mkdtempSync(join(tmpdir(), 'bcod-pairs-'))
afterAll(() => rmSync(dir, { recursive: true }))
const path = join(dir, 'pairs.jsonl')

async function read(...rows: unknown[]): Promise<Pair[]> {
  writeFileSync(path, rows.map((row) => (typeof row === 'string' ? row : JSON.stringify(row))).join('\n'))
  const pairs: Pair[] = []
  for await (const pair of readPairs(path, { vocabSize: 100 })) pairs.push(pair)
  return pairs
}

const lineOf = (...rows: unknown[]) =>
  read(...rows).then(
    () => 'no error',
    (error: { line: string }) => error.line.replace(path, 'FILE'),
  )

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
      },
      {
        line: 3,
        prompt: { kind: 'messages', messages: messages('user', 'Hi') },
        chosen: { kind: 'messages', messages: messages('assistant', 'Hello.') },
        rejected: { kind: 'messages', messages: messages('assistant', 'What?') },
      },
      {
        line: 4,
        prompt: { kind: 'tokens', tokens: [1] },
        chosen: { kind: 'tokens', tokens: [2, 3] },
        rejected: { kind: 'tokens', tokens: [4] },
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
})
