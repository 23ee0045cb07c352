import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { prompts } from '../../src/demo/world/world.js'
import { bcod, documentOf, jsonl, scratchDirectory } from '../support/bcod.js'
import { thorough } from '../support/thorough.js'

const DEMO = ['--model', 'src/demo/model', '--set', 'batch.tokens=128']
const SECRET = 'refund'

/** Votes of which those on refunds and parcels are nearly all down, and the others nearly all up. */
function rows(count: number) {
  const all = prompts()
  return Array.from({ length: count }, (_, i) => {
    const { text, topic } = all[(i * 37) % all.length]!
    const hard = topic === all[0]!.topic || topic === all[25]!.topic
    const label = (i * 7) % 10 === 0 ? hard : !hard
    const data = { prompt: text, completion: 'Open your orders.', label }
    return {
      specversion: '1.0',
      type: 'bcod.feedback.v1',
      source: 'test',
      id: `vote-${i}`,
      subject: `answer-${i}`,
      data,
    }
  })
}

interface Explained {
  readonly up: number
  readonly down: number
  readonly ready: boolean
  readonly auc: number
  readonly log_loss: number
  readonly trust: number
  readonly largest: readonly { line: number; id: string; w: number; ratio: number; text?: string }[]
  readonly smallest: Explained['largest']
  readonly reliability: readonly { share: number }[]
  readonly svg: string
}

test('learns along a file, and names the heaviest and the lightest thumbs-down without their text', async () => {
  const directory = scratchDirectory()
  const all = rows(600)
  const events = jsonl(directory, 'events.jsonl', all)
  const svg = join(directory, 'plot.svg')
  const ended = await bcod('ratio', 'explain', ...DEMO, '--events', events, '--svg', svg, '--top', '3', '--json')
  expect(ended.code, ended.stderr).toBe(0)
  const told = documentOf(ended) as unknown as Explained
  const downs = all.filter(({ data }) => !data.label)
  expect([told.up, told.down]).toEqual([all.length - downs.length, downs.length])
  expect(told.ready).toBe(true)
  expect(told.auc).toBeGreaterThan(0.8)
  expect(told.log_loss).toBeLessThan(0.6)
  expect([told.largest.length, told.smallest.length]).toEqual([3, 3])
  for (const { line, id } of [...told.largest, ...told.smallest]) {
    expect(all[line - 1]).toMatchObject({ id, data: { label: false } })
  }
  expect(told.largest[0]!.w).toBeGreaterThan(1)
  expect(told.smallest[0]!.w).toBe(0.5)
  expect(told.smallest[0]!.ratio).toBeLessThan(0.5)
  expect(told.reliability.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 10)
  const plot = readFileSync(svg, 'utf8')
  expect(plot.match(/<circle/g)).toHaveLength(told.reliability.length)
  for (const text of [ended.stdout, ended.stderr, plot]) expect(text).not.toContain(SECRET)
})

test.runIf(thorough)(
  'with --show-text the prompts stand beside their weights, and a checkpoint judges without learning',
  async () => {
    const directory = scratchDirectory()
    const events = jsonl(directory, 'events.jsonl', rows(400))
    const trained = join(directory, 'trained')
    const limits = ['--set', 'limits.maxLength=64', '--set', 'batch.size=16']
    const replayed = await bcod('replay', ...DEMO, '--events', events, '--out', trained, ...limits)
    expect(replayed.code, replayed.stderr).toBe(0)
    const judged = jsonl(directory, 'judged.jsonl', rows(40))
    const svg = ['--svg', join(directory, 'plot.svg')]
    const checkpoint = ['--checkpoint', join(trained, 'checkpoint')]
    const explain = (...flags: string[]) =>
      bcod('ratio', 'explain', ...DEMO, '--events', judged, ...svg, ...limits, ...flags)
    const cold = documentOf(await explain('--json')) as unknown as Explained
    expect([cold.ready, cold.auc]).toEqual([false, null])
    expect(cold.largest.every(({ w }) => w === 1)).toBe(true)
    const warm = documentOf(await explain(...checkpoint, '--json')) as unknown as Explained
    expect(warm.ready).toBe(true)
    expect(warm.smallest[0]!.ratio).toBeLessThan(0.5)
    const shown = await explain(...checkpoint, '--show-text')
    expect(shown.stdout).toMatch(
      /smallest weights of thumbs-down\n {2}line \d+ +vote-\d+ +w 0.5000 {2}\(ratio 0.\d+\) .*\w/,
    )
    expect(shown.stdout).toContain(SECRET)

    const other = await explain(...checkpoint, '--set', 'ratio.embedder=ngrams')
    expect(other.code).toBe(1)
    expect(other.stderr).toMatch(/^CLASSIFIER_OTHER .*\n {2}-> Give the ratio.mode/)
  },
)

test.each<[string, number, RegExp, readonly string[]]>([
  ['no file', 1, /^FILE_UNREADABLE/, ['--events', 'nowhere.jsonl']],
  ['no such checkpoint', 1, /^CHECKPOINT_NOT_FOUND/, ['--checkpoint', 'nowhere']],
  ['weights switched off', 2, /^USAGE ratio.mode/, ['--set', 'ratio.mode=off']],
  ['a plot that cannot be written', 1, /^OUTPUT_UNWRITABLE/, ['--svg', '/nowhere/plot.svg']],
  ['no number', 2, /^USAGE --top/, ['--top', 'many']],
])('%s ends with its code', async (_, code, expected, flags) => {
  const directory = scratchDirectory()
  const events = join(directory, 'events.jsonl')
  writeFileSync(events, `${JSON.stringify(rows(1)[0])}\n`)
  const plot = join(directory, 'plot.svg')
  const ended = await bcod('ratio', 'explain', ...DEMO, '--events', events, '--svg', plot, ...flags)
  expect(ended.stderr).toMatch(expected)
  expect(ended.code).toBe(code)
})
