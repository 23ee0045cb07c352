import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { ComparedVersions } from '../../src/adapters/registry/registry.js'
import type { GateReport } from '../../src/adapters/versions/gate-report.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import type { Comparison } from '../../src/gate/comparison.js'
import { bcod, documentOf, jsonl, scratchDirectory } from '../support/bcod.js'
import { registryIn } from '../support/registry.js'
import { FEW_SHAPES, type GoldenRow, goldenRows } from './golden.js'

const rows = [0, 1, 2, 3].flatMap(goldenRows).filter(({ completion }) => completion.length > 1)
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const secondHalf = (values: readonly number[]) => sum(values.slice(values.length >> 1))

/** A completion against its own first half: TRL's figures for its tokens give both log-probabilities. */
const pair = ({ prompt, completion }: GoldenRow) => ({
  prompt_tokens: prompt,
  chosen_tokens: completion,
  rejected_tokens: completion.slice(0, completion.length >> 1),
})

/** A registry whose candidate is the adapter of the golden files, and the settings to gate it. */
async function place() {
  const directory = scratchDirectory()
  const { registry } = registryIn(join(directory, 'adapters'))
  await registry.add(readAdapter('tests/golden/peft_adapter'), { step: 1, delta: 0 })
  await registry.publish('v00000001')
  await registry.add(readAdapter('tests/golden/tiny_adapter'), { step: 2, delta: 0 })
  const probe = jsonl(directory, 'golden.jsonl', rows.map(pair))
  const gate = (...set: string[]) =>
    bcod(
      ...['adapters', 'gate', 'candidate', '--adapters', registry.files.place, '--model', 'tests/golden/tiny_llama'],
      ...[`gate.probes=["${probe}"]`, ...set].flatMap((value) => ['--set', value]),
      ...FEW_SHAPES,
      '--json',
    )
  const reportOf = (version: string) =>
    JSON.parse(readFileSync(join(registry.files.place, version, 'gate.json'), 'utf8')) as GateReport
  return { directory, registry, probe, gate, reportOf }
}

test("a probe's value is the mean of TRL's own log-probabilities; the report is kept, and the version may be promoted", async () => {
  const { registry, gate, reportOf } = await place()
  const ended = await gate()
  expect(ended.code, ended.stderr).toBe(0)
  const report = documentOf(ended) as unknown as GateReport
  expect(report).toMatchObject({ version: 'v00000002', parent: 'v00000001', outcome: 'passed' })
  expect(report.checks.map(({ name }) => name)).toEqual(['finite', 'update_norm', 'probe:golden'])
  const gains = rows.map(({ policy, reference }) => secondHalf(policy) - secondHalf(reference))
  const mean = sum(gains) / gains.length
  const deviation = Math.sqrt(sum(gains.map((gain) => (gain - mean) ** 2)) / (gains.length - 1))
  const { value, low, high } = report.checks[2] as { value: number; low: number; high: number }
  expect(value).toBeCloseTo(mean, 4)
  // t of 95 % lies between 1.96 and 2.4 for more than 7 pairs
  for (const half of [value - low, high - value]) {
    expect(half).toBeGreaterThan((1.96 * deviation) / Math.sqrt(gains.length))
    expect(half).toBeLessThan((2.4 * deviation) / Math.sqrt(gains.length))
  }
  expect(reportOf('v00000002')).toEqual(report)
  await registry.promote('v00000002')
  expect((await registry.current()).aliases.live).toBe('v00000002')
})

test('a program that prints rubbish and KL without a journal are errors, a bound that is too tight refuses', async () => {
  const { directory, registry, gate } = await place()
  const program = join(directory, 'check.sh')
  writeFileSync(program, 'cat > /dev/null; echo to-stderr >&2; echo fine', { mode: 0o755 })
  const exec = `gate.exec=${JSON.stringify([{ name: 'ours', command: ['/bin/sh', program] }])}`
  const failed = await gate(exec, 'gate.maxKlBase=1')
  expect(failed.code).toBe(1)
  expect(failed.stderr).toContain('to-stderr')
  const { outcome, checks } = documentOf(failed) as unknown as GateReport
  expect(outcome).toBe('error')
  expect(checks.map(({ name, outcome, detail }) => [name, outcome, detail?.split(' ')[0]])).toEqual([
    ['finite', 'passed', undefined],
    ['update_norm', 'passed', 'largest'],
    ['kl_base', 'error', 'GATE_NO_PROMPTS:'],
    ['probe:golden', 'passed', `${rows.length}`],
    ['exec:ours', 'error', 'GATE_HOOK_INVALID'],
  ])
  const refused = await gate('gate.maxUpdateNorm=1e-6')
  expect(refused.code).toBe(1)
  expect(documentOf(refused)).toMatchObject({ outcome: 'refused' })
  await expect(registry.promote('v00000002')).rejects.toMatchObject({ code: 'ADAPTER_UNGATED' })
})

test("diff has the margins of both versions, which are TRL's, and without a model says that they are missing", async () => {
  const { registry, probe } = await place()
  const diff = (...args: string[]) =>
    bcod('adapters', 'diff', 'live', 'candidate', '--adapters', registry.files.place, ...args)
  const model = ['--model', 'tests/golden/tiny_llama', '--set', `gate.probes=["${probe}"]`, ...FEW_SHAPES, '--json']
  const ended = await diff(...model)
  expect(ended.code, ended.stderr).toBe(0)
  const { versions, margins, answers, left_out } = documentOf(ended) as unknown as ComparedVersions & Comparison
  expect(versions).toEqual(['v00000001', 'v00000002'])
  expect(margins).toMatchObject([{ probe: 'golden', pairs: rows.length }])
  const golden = margins[0] as { readonly a: number; readonly b: number; readonly difference: number }
  expect(golden.b).toBeCloseTo(sum(rows.map(({ policy }) => secondHalf(policy))) / rows.length, 4)
  expect(golden.difference).toBeCloseTo(golden.b - golden.a, 6)
  expect([answers, left_out]).toEqual([null, []])
  expect((await diff(...model)).stdout).toBe(ended.stdout)
  expect((await diff()).stdout).toContain('no model is named')
  expect(documentOf(await diff(...model, '--weights'))).not.toHaveProperty('margins')
})
