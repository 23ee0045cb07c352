import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { bcod, documentOf, jsonl, linesOf, scratchDirectory } from '../support/bcod.js'
import { FEW_SHAPES, GOLDEN_RUN, type GoldenRow, golden, goldenFeedback, goldenRows } from './golden.js'

const TINY = ['--model', 'tests/golden/tiny_llama', ...FEW_SHAPES]
const DEMO = ['--model', 'src/demo/model', ...FEW_SHAPES]
const ADAPTER = ['--adapter', 'tests/golden/tiny_adapter']
const BETA = 0.1

const rows = [0, 1, 2, 3].flatMap(goldenRows)
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** A golden row as a pair: its completion against the first half of it, whose log-probability is golden as well. */
const pair = ({ prompt, completion }: GoldenRow) => ({
  prompt_tokens: prompt,
  chosen_tokens: completion,
  rejected_tokens: completion.slice(0, completion.length >> 1),
})

const expected = ({ policy, reference }: GoldenRow) => {
  const half = policy.length >> 1
  const [chosen, rejected] = [sum(policy), sum(policy.slice(0, half))]
  const [chosenReference, rejectedReference] = [sum(reference), sum(reference.slice(0, half))]
  return {
    chosen_policy_logp: chosen,
    chosen_reference_logp: chosenReference,
    rejected_policy_logp: rejected,
    rejected_reference_logp: rejectedReference,
    rewards: [BETA * (chosen - chosenReference), BETA * (rejected - rejectedReference)] as const,
  }
}

test("log-probabilities of every pair are TRL's, and margin, accuracy and binary accuracy follow from them", async () => {
  const directory = scratchDirectory()
  const trained = join(directory, 'trained')
  const events = jsonl(directory, 'events.jsonl', goldenFeedback())
  const replayed = await bcod('replay', '--events', events, '--out', trained, ...GOLDEN_RUN)
  expect(replayed.code, replayed.stderr).toBe(0)

  const pairs = jsonl(directory, 'pairs.jsonl', rows.map(pair))
  const rowsOut = join(directory, 'rows.jsonl')
  const flags = [...TINY, ...ADAPTER, '--pairs', pairs, '--json']
  const ended = await bcod('eval', ...flags, '--rows', rowsOut, '--state', join(trained, 'checkpoint'))
  expect(ended.code, ended.stderr).toBe(0)

  const written = linesOf(readFileSync(rowsOut, 'utf8')) as { [field: string]: number }[]
  const wanted = rows.map(expected)
  expect(written).toHaveLength(rows.length)
  wanted.forEach(({ rewards, ...logps }, i) => {
    const row = written[i]!
    for (const [field, value] of Object.entries(logps)) expect(Math.abs(row[field]! / value - 1)).toBeLessThan(1e-5)
    expect(row.line).toBe(i + 1)
    expect(row.margin).toBeCloseTo(rewards[0] - rewards[1], 5)
  })

  const margins = wanted.map(({ rewards }) => rewards[0] - rewards[1])
  const delta = golden.f64.train[9]!.running_after.mean
  const onTheirSide = wanted.flatMap(({ rewards }) => [rewards[0] > delta, rewards[1] < delta])
  const summary = documentOf(ended) as { [field: string]: number }
  expect(summary.pairs).toBe(rows.length)
  expect(summary.accuracy).toBeCloseTo(margins.filter((margin) => margin > 0).length / rows.length, 12)
  expect(summary.margin_mean).toBeCloseTo(sum(margins) / rows.length, 5)
  expect(summary.binary_accuracy).toBeCloseTo(onTheirSide.filter(Boolean).length / onTheirSide.length, 12)
})

test('without an adapter the model is its own reference: margins 0, half of the pairs right, no binary accuracy', async () => {
  const pairs = jsonl(scratchDirectory(), 'pairs.jsonl', rows.map(pair))
  const ended = await bcod('eval', ...TINY, '--pairs', pairs, '--json')
  expect(documentOf(ended)).toEqual({
    pairs: rows.length,
    accuracy: 0.5,
    margin_mean: 0,
    binary_accuracy: null,
    skipped: 0,
    non_finite: 0,
  })
})

test('texts and messages are pairs as well; a bad row ends it with file and line', async () => {
  const directory = scratchDirectory()
  const good = [
    { prompt: 'Where is my parcel?', chosen: 'On its way.', rejected: 'No idea.' },
    {
      prompt: [{ role: 'user', content: 'Where is my parcel?' }],
      chosen: [{ role: 'assistant', content: 'On its way.' }],
      rejected: [{ role: 'assistant', content: 'No idea.' }],
    },
  ]
  const ended = await bcod('eval', ...DEMO, '--pairs', jsonl(directory, 'good.jsonl', good), '--json')
  expect(documentOf(ended)).toMatchObject({ pairs: 2, accuracy: 0.5 })
  const bad = jsonl(directory, 'bad.jsonl', [...good, { prompt: 'a', chosen: 'b' }])
  const failed = await bcod('eval', ...DEMO, '--pairs', bad, '--json')
  expect(failed.code).toBe(1)
  expect(failed.stderr).toMatch(/^PAIRS_INVALID .*bad\.jsonl:3 rejected: /m)
  expect(failed.stdout).toBe('')
})

test('all pairs that cannot be used are named at once, and left out with --skip-invalid', async () => {
  const directory = scratchDirectory()
  const good = { prompt: 'Where is my parcel?', chosen: 'On its way.', rejected: 'No idea.' }
  const path = jsonl(directory, 'pairs.jsonl', [
    '{',
    good,
    { ...good, rejected: '' },
    good,
    { prompt: 'a', chosen: 'b' },
  ])
  const rows = join(directory, 'rows.jsonl')
  const args = ['eval', ...DEMO, '--pairs', path, '--rows', rows, '--json']
  const refused = await bcod(...args)
  expect(refused.code).toBe(1)
  expect(refused.stderr.match(/pairs\.jsonl:\d+/g)).toEqual(['pairs.jsonl:1', 'pairs.jsonl:3', 'pairs.jsonl:5'])
  const listed = linesOf(readFileSync(`${rows}.invalid.jsonl`, 'utf8'))
  expect(listed.map(({ line, code }) => [line, code])).toEqual([
    [1, 'PAIRS_INVALID'],
    [3, 'PAIRS_INVALID'],
    [5, 'PAIRS_INVALID'],
  ])
  expect(existsSync(rows)).toBe(false)

  const skipped = await bcod(...args, '--skip-invalid')
  expect(skipped.code, skipped.stderr).toBe(0)
  expect(documentOf(skipped)).toMatchObject({ pairs: 2, skipped_invalid: 3 })
  expect(linesOf(readFileSync(rows, 'utf8')).map(({ line }) => line)).toEqual([2, 4])
})

test('--state where no checkpoint is tells so', async () => {
  const directory = scratchDirectory()
  const pairs = jsonl(directory, 'pairs.jsonl', rows.map(pair))
  const ended = await bcod('eval', ...TINY, '--pairs', pairs, '--state', directory)
  expect(ended.code).toBe(1)
  expect(ended.stderr).toMatch(/^CHECKPOINT_NOT_FOUND /m)
})
