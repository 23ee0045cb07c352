import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { readAdapter } from '../../../src/adapters/weights/peft.js'
import { bcod, jsonl, linesOf, scratchDirectory } from '../../support/bcod.js'

interface Row {
  readonly prompt_tokens: readonly number[]
  readonly completion_tokens: readonly number[]
}

/** What PEFT and transformers computed in f64: tests/golden/README.md. */
const golden = JSON.parse(readFileSync('tests/golden/peft_adapter.json', 'utf8')) as {
  readonly model: string
  readonly rows: readonly Row[]
  readonly reference: readonly number[]
  readonly policy: Readonly<Record<string, readonly number[]>>
}

/** bcod's log-probabilities of the rows. */
async function score(adapter: string) {
  const directory = scratchDirectory()
  const pairs = golden.rows.map(({ prompt_tokens, completion_tokens }) => ({
    prompt_tokens,
    chosen_tokens: completion_tokens,
    rejected_tokens: completion_tokens,
  }))
  const out = join(directory, 'rows.jsonl')
  const files = ['--pairs', jsonl(directory, 'pairs.jsonl', pairs), '--rows', out]
  // fewer shapes to trace
  const limits = ['--set', 'limits.maxLength=128', '--set', 'batch.tokens=128']
  const ended = await bcod('eval', '--model', `tests/golden/${golden.model}`, '--adapter', adapter, ...files, ...limits)
  expect(ended.code, ended.stderr).toBe(0)
  return linesOf(readFileSync(out, 'utf8')) as readonly { readonly [field: string]: number }[]
}

describe.each(Object.keys(golden.policy))('%s, an adapter that PEFT saved', (name) => {
  const directory = `tests/golden/${name}`

  test('has matrices that matter: no B is zero, and every row moves', () => {
    for (const [tensor, { data }] of readAdapter(directory).tensors)
      expect([tensor, data.some(Boolean)]).toEqual([tensor, true])
    for (const [i, logp] of golden.policy[name]!.entries())
      expect(Math.abs(logp - golden.reference[i]!)).toBeGreaterThan(1e-3)
  })

  test('gives every completion the log-probability that it has in PEFT, and the bare model its own', async () => {
    const rows = await score(directory)
    expect(rows).toHaveLength(golden.rows.length)
    for (const [i, row] of rows.entries()) {
      expect(Math.abs(row.chosen_policy_logp! / golden.policy[name]![i]! - 1)).toBeLessThan(1e-5)
      expect(Math.abs(row.chosen_reference_logp! / golden.reference[i]! - 1)).toBeLessThan(1e-5)
    }
  })
})

test('one of them is scaled by alpha / r, the other by alpha / √r', () => {
  expect(readAdapter('tests/golden/peft_adapter')).toMatchObject({ r: 4, alpha: 8, rslora: false })
  expect(readAdapter('tests/golden/peft_adapter_rslora')).toMatchObject({
    r: 8,
    alpha: 4,
    rslora: true,
    targets: ['down_proj', 'q_proj', 'v_proj'],
  })
})
