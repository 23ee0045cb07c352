import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bcod, jsonl, linesOf, scratchDirectory } from '../support/bcod.js'
import { FEW_SHAPES, goldenRows } from './golden.js'

const TINY = ['--model', 'tests/golden/tiny_llama', '--adapter', 'tests/golden/tiny_adapter', ...FEW_SHAPES]
const BREAD = ['--prompt', 'Where is my parcel?', '--max-tokens', '24', ...FEW_SHAPES]

test('prints the answer alone, the same for the same seed', async () => {
  const first = await bcod('generate', ...BREAD, '--seed', '3')
  const again = await bcod('generate', ...BREAD, '--seed', '3')
  const other = await bcod('generate', ...BREAD, '--seed', '4')
  expect(first.code, first.stderr).toBe(0)
  expect(first.stdout).toMatch(/^\S.*[.!?]?\n$/)
  expect(first.stdout).not.toContain('parcel?')
  expect(again.stdout).toBe(first.stdout)
  expect(other.stdout).not.toBe(first.stdout)
})

test('at temperature 0, the token that it takes is the likeliest under the scorer', async () => {
  const { prompt } = goldenRows(0)[0]!
  const ended = await bcod(
    'generate',
    ...TINY,
    '--prompt-tokens',
    prompt.join(),
    '--max-tokens',
    '1',
    '--temperature',
    '0',
  )
  const taken = Number(ended.stdout)
  const directory = scratchDirectory()
  const every = Array.from({ length: 256 }, (_, token) => ({
    prompt_tokens: prompt,
    chosen_tokens: [taken],
    rejected_tokens: [token],
  }))
  const rows = join(directory, 'rows.jsonl')
  await bcod('eval', ...TINY, '--pairs', jsonl(directory, 'pairs.jsonl', every), '--rows', rows)
  const logps = linesOf(readFileSync(rows, 'utf8')).map((row) => Number(row.rejected_policy_logp))
  expect(taken).toBe(logps.indexOf(Math.max(...logps)))
})

test('asks for what it needs', async () => {
  const cases = [
    [['generate'], /^USAGE generate: expected --prompt or --prompt-tokens$/m],
    [['generate', '--prompt-tokens', '1,x'], /^USAGE: .*expected token ids/m],
    [['generate', '--prompt-tokens', '4000'], /^USAGE --prompt-tokens: a token id is outside the vocabulary of 1024$/m],
    [['generate', '--prompt', 'a', '--max-tokens', '0'], /^USAGE: .*expected an integer from 1 on$/m],
    [['generate', '--prompt', 'word '.repeat(200)], /^USAGE: the prompt has \d+ tokens, the model takes 128$/m],
  ] as const
  for (const [args, message] of cases) {
    const { code, stdout, stderr } = await bcod(...args)
    expect(stderr).toMatch(message)
    expect([code, stdout]).toEqual([2, ''])
  }
  const without = await bcod('generate', ...TINY, '--prompt', 'Hello')
  expect(without.stderr).toMatch(/^TEXT_WITHOUT_TOKENIZER/m)
  expect(without.code).toBe(1)
})
