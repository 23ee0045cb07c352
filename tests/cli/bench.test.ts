import { expect, test } from 'vitest'
import { benchEvents, END_TOKEN } from '../../src/cli/bench/events.js'
import { feedbackLengths } from '../../src/cli/bench/lengths.js'
import { bcod, documentOf } from '../support/bcod.js'

test('measures steps and real tokens of the small shape', async () => {
  const ended = await bcod('bench', '--steps', '2', '--set', 'batch.size=4', '--json')
  expect(ended.code, ended.stderr).toBe(0)
  expect(ended.stderr).toContain('making a model of the shape tiny\n')
  const report = documentOf(ended) as { [figure: string]: number }
  expect(report).toMatchObject({ shape: 'tiny', dtype: 'f32', steps: 2, events: 8 })
  // events 13 to 20 of the list: three steps of four warm up
  const tokens = feedbackLengths()
    .slice(12, 20)
    .reduce((sum, { prompt, completion }) => sum + prompt + completion, 0)
  expect(report.tokens).toBe(tokens)
  expect(report.tokens_per_s).toBeCloseTo(tokens / report.seconds!, 6)
  expect(report.steps_per_s).toBeCloseTo(2 / report.seconds!, 6)
  expect(report.peak_rss_bytes).toBeGreaterThan(100 * 2 ** 20)
  expect(report.cpu_share).toBeGreaterThan(0)
  expect(report.cpu_share).toBeLessThanOrEqual(1.05)
})

test('events have these lengths in their order, one end token each, and are the same every time', () => {
  const events = benchEvents(513, 1024)
  expect(events).toEqual(benchEvents(600, 1024).slice(0, 513))
  const lengths = feedbackLengths()
  for (const [i, { promptTokens, completionTokens, label }] of events.entries()) {
    const own = { prompt: promptTokens.length, completion: completionTokens.length, label }
    expect(own).toEqual(lengths[i % 512])
    expect(completionTokens.at(-1)).toBe(END_TOKEN)
  }
})

test('the lengths are real ones: at most 256 tokens, both labels', () => {
  const lengths = feedbackLengths()
  expect(lengths).toHaveLength(512)
  expect(Math.max(...lengths.map(({ prompt, completion }) => prompt + completion))).toBeLessThanOrEqual(256)
  expect(new Set(lengths.map(({ label }) => label)).size).toBe(2)
})
