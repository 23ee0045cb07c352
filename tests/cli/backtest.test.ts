import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { world } from '../../src/demo/world/world.js'
import margins from '../backtest/probes/margins.json' with { type: 'json' }
import { bcod, documentOf, jsonl, linesOf, scratchDirectory } from '../support/bcod.js'

const PROBES = 'tests/backtest/probes'

/** Park and Miller's generator: the same votes on every run. */
function randomNumbers(): () => number {
  let state = 7
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

type Answer = (good: boolean, pick: (from: readonly string[]) => string) => string
const KIND_OR_RUDE: Answer = (good, pick) => `${pick(good ? world.politeOpeners : world.rudeOpeners)} ${pick(STEPS)}`
const LONG_OR_SHORT: Answer = (good, pick) =>
  good ? `${pick(world.politeOpeners)} ${pick(STEPS)} ${pick(STEPS)}` : pick(STEPS)
const STEPS = world.topics.flatMap(({ steps }) => steps)

/** Votes of 40 users on answers that are good or not; the label follows that, or a coin. */
function votes(count: number, answer: Answer, label: 'of the answer' | 'of a coin') {
  const random = randomNumbers()
  const pick = (from: readonly string[]) => from[Math.floor(random() * from.length)] as string
  return Array.from({ length: count }, (_, i) => {
    const good = random() < 0.5
    const coin = random() < 0.5
    return {
      prompt: [{ role: 'user', content: 'Where is my parcel?' }],
      completion: [{ role: 'assistant', content: answer(good, pick) }],
      label: label === 'of a coin' ? coin : good,
      user: `user-${i % 40}`,
    }
  })
}

const backtest = (events: string, ...args: readonly string[]) =>
  bcod(
    'backtest',
    '--events',
    events,
    '--model',
    'src/demo/model',
    '--set',
    'limits.maxLength=96',
    '--set',
    'batch.tokens=96',
    ...args,
  )

interface Told {
  readonly [field: string]: unknown
  readonly accuracy: number
  readonly accuracy_low: number
  readonly auc: number
  readonly votes_missing: number | null
  readonly baselines: Readonly<Record<'majority' | 'length' | 'prompt', number>>
}

async function told(rows: readonly unknown[]): Promise<Told> {
  const ended = await backtest(jsonl(scratchDirectory(), 'votes.jsonl', rows), '--set', 'gate.probes=[]', '--json')
  expect(ended.code, ended.stderr).toBe(0)
  return documentOf(ended) as unknown as Told
}

describe('bcod backtest', () => {
  test('votes that follow the answer are worth it, and the page says so by itself', async () => {
    const directory = scratchDirectory()
    const report = join(directory, 'report.html')
    const rows = ['{', ...votes(300, KIND_OR_RUDE, 'of the answer')]
    const ended = await backtest(
      ...[jsonl(directory, 'votes.jsonl', rows), '--report', report, '--skip-invalid', '--json'],
    )
    expect(ended.code, ended.stderr).toBe(0)
    const { accuracy_low, baselines, ...found } = documentOf(ended) as unknown as Told
    expect(found).toMatchObject({
      verdict: 'worth it',
      events: 301,
      trained: 300,
      skipped_invalid: 1,
      explained_by: [],
    })
    expect(found.auc).toBeGreaterThan(0.9)
    expect(accuracy_low).toBeGreaterThan(Math.max(...Object.values(baselines)))
    const page = readFileSync(report, 'utf8')
    expect(page).toContain('worth it</h1>')
    // nothing from elsewhere, and nothing of what people wrote
    expect(page).not.toMatch(/<script|<link|<img|https?:|url\(|parcel|user-\d/)
    expect(linesOf(readFileSync(`${report}.invalid.jsonl`, 'utf8'))).toMatchObject([{ line: 1 }])
  })

  test('labels by chance are not', async () => {
    expect(await told(votes(600, KIND_OR_RUDE, 'of a coin'))).toMatchObject({ verdict: 'no', votes_to_help: null })
  })

  test('where the length of the answer tells the label, it says that only length explains it', async () => {
    const found = await told(votes(300, LONG_OR_SHORT, 'of the answer'))
    expect(found).toMatchObject({ explained_by: ['length'] })
    expect(found.verdict).not.toBe('worth it')
  })

  test('a few votes decide nothing; it says how many are missing', async () => {
    const found = await told(votes(24, KIND_OR_RUDE, 'of the answer'))
    expect(found).toMatchObject({ verdict: 'not yet', trained: 24, votes_to_help: null })
    expect(found.votes_missing).toBeGreaterThan(0)
  })

  test("asks the gate's probes before and after, with the margins that PEFT gives the same adapter", async () => {
    const directory = scratchDirectory()
    const report = join(directory, 'report.html')
    // those of its own set: the demo's model does not write like them
    const probes = [...['kind', 'rude'].map((name) => join(PROBES, `${name}.jsonl`)), 'shipped']
    const settings = [...margins.settings, `gate.probes=${JSON.stringify(probes)}`, 'gate.probeTolerance=0.01']
    const args = [join(PROBES, 'votes.jsonl'), ...settings.flatMap((each) => ['--set', each])] as const
    const ended = await backtest(...args, '--report', report)
    expect(ended.code, ended.stderr).toBe(0)
    expect(ended.stdout).toMatch(/^probe kind +−2\.\d{3} → −1\.\d{3} nats per pair, passes the gate$/m)
    expect(ended.stdout).toMatch(/^probe rude +.* refused by the gate$/m)
    expect(ended.stdout).toMatch(/^not asked +false-claims, .*, repetition: the base does not write like/m)
    expect(ended.stdout).toContain('optimizer.lr=0.0005: the gate would refuse')
    const page = readFileSync(report, 'utf8')
    expect(page).toMatch(/<td>rude<\/td><td>4<\/td>.*<td>refused<\/td>/)
    const { probes: told } = documentOf(await backtest(...args, '--json')) as {
      probes: readonly Record<string, number>[]
    }
    const kind = told.find(({ name }) => `${name}` === 'kind')!
    for (const field of ['before', 'after', 'low', 'high'] as const)
      expect(kind[field], field).toBeCloseTo(margins[field], 3)
  })

  test('a bad probe file ends it before it trains', async () => {
    const bad = jsonl(scratchDirectory(), 'bad.jsonl', ['{'])
    const ended = await backtest(join(PROBES, 'votes.jsonl'), '--set', `gate.probes=["${bad}"]`)
    expect(ended).toMatchObject({ code: 1, stdout: '' })
    expect(ended.stderr).toMatch(/^PAIRS_INVALID .*bad\.jsonl:1/m)
  })

  test('with a broken row nothing runs', async () => {
    const ended = await backtest(
      jsonl(scratchDirectory(), 'votes.jsonl', ['{', ...votes(2, KIND_OR_RUDE, 'of a coin')]),
    )
    expect(ended.code).toBe(1)
    expect(ended.stdout).toBe('')
    expect(ended.stderr).toMatch(/^FEEDBACK_NOT_JSON .*votes\.jsonl:1/m)
  })
})
