import { expect, test } from 'vitest'
import { benchEvents } from '../../src/cli/bench/events.js'
import { feedbackLengths } from '../../src/cli/bench/lengths.js'
import { END_TOKEN, WORKLOADS, type WorkloadName } from '../../src/cli/bench/workloads.js'
import { bcod, documentOf } from '../support/bcod.js'

test('measures steps and real tokens of the small shape', async () => {
  const ended = await bcod('bench', '--steps', '2', '--set', 'batch.size=4', '--set', 'batch.tokens=256', '--json')
  expect(ended.code, ended.stderr).toBe(0)
  expect(ended.stderr).toContain('making a model of the shape tiny\n')
  const report = documentOf(ended) as { [figure: string]: number }
  expect(report).toMatchObject({ shape: 'tiny', dtype: 'f32', steps: 2, events: 8 })
  expect(report).toMatchObject({
    ...{ device: 'cpu', executor: 'graph', kernels: 'onednn', executor_trials: [] },
    executor_reason: 'auto, on a CPU; not measured: the model is small',
  })
  expect(report.inter_op_threads).toBe(report.threads)
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
  const events = benchEvents('plain', 513, 1024)
  expect(events).toEqual(benchEvents('plain', 600, 1024).slice(0, 513))
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

test.each([
  ['system-256', 256],
  ['system-1024', 1024],
] as const)('events of %s begin with the same %i tokens', (workload, length) => {
  const events = benchEvents(workload, 64, 1024)
  const system = events[0]!.promptTokens.slice(0, length)
  for (const { promptTokens } of events) expect(promptTokens.slice(0, length)).toEqual(system)
  expect(new Set(events.map(({ promptTokens }) => promptTokens[length])).size).toBeGreaterThan(32)
})

test('turns of a conversation continue one another, and answers to a prompt have it in common', () => {
  const turns = benchEvents('conversation', 200, 1024)
  const continued = turns.filter(({ promptTokens }, i) => {
    const before = turns[i - 1]
    const whole = before === undefined ? [] : [...before.promptTokens, ...before.completionTokens]
    return i > 0 && whole.every((token, at) => promptTokens[at] === token)
  })
  // 3 to 8 turns: from two of three to seven of eight continue the one before
  expect(continued.length / turns.length).toBeGreaterThan(0.66)
  expect(continued.length / turns.length).toBeLessThan(0.88)
  const answers = benchEvents('regenerate', 200, 1024)
  const again = answers.filter(({ promptTokens }, i) => promptTokens === answers[i - 1]?.promptTokens)
  expect(again.length / answers.length).toBeGreaterThan(0.5)
  expect(again.length / answers.length).toBeLessThan(0.75)
})

test.each(Object.entries(WORKLOADS))('no event of %s is longer than it may be', (workload, { maxLength }) => {
  for (const { promptTokens, completionTokens } of benchEvents(workload as WorkloadName, 512, 1024)) {
    expect(promptTokens.length + completionTokens.length).toBeLessThanOrEqual(maxLength)
    expect(completionTokens.at(-1)).toBe(END_TOKEN)
  }
})
