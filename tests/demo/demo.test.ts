import { expect, test } from 'vitest'
import type { DemoSummary } from '../../src/demo/demo.js'
import { bcod } from '../support/bcod.js'
import { thorough } from '../support/thorough.js'

/** The summary of a demo run through the command line. */
async function demo(...args: string[]): Promise<DemoSummary> {
  const { code, stdout, stderr } = await bcod('demo', '--json', ...args)
  expect(code, stderr).toBe(0)
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as DemoSummary
}

/** Everything but the time it took. */
const without = ({ seconds: _, ...summary }: DemoSummary) => summary

test('600 votes turn a base that is liked half of the time into one that is liked, also on prompts that never trained', async () => {
  const summary = await demo('--events', '600')
  expect(summary.events).toBe(600)
  expect(summary.steps).toBeGreaterThan(0)
  expect(summary.up_rate_first).toBeLessThanOrEqual(0.6)
  expect(summary.up_rate_last).toBeGreaterThanOrEqual(0.85)
  expect(summary.unseen_rate_last - summary.unseen_rate_first).toBeGreaterThanOrEqual(0.2)
  expect(summary.margin).toBeGreaterThan(0)
}, 240_000)

test('a seed fixes the summary but for the seconds, over a real broker too; another seed gives another adapter', async () => {
  const one = await demo('--events', '40', '--seed', '3')
  const overKafka = await demo('--events', '40', '--seed', '3', '--kafka')
  const other = await demo('--events', '40', '--seed', '4')
  expect(without(overKafka)).toEqual(without(one))
  expect(other.adapter_sha256).not.toBe(one.adapter_sha256)
}, 240_000)

test.runIf(thorough)(
  'without steps of any size and without rewards the adapter stays what it was at the start',
  async () => {
    const withoutSteps = await demo('--events', '16', '--set', 'optimizer.lr=0')
    const withoutRewards = await demo('--events', '32', '--set', 'bco.beta=0')
    expect(withoutRewards.steps).toBeGreaterThan(withoutSteps.steps)
    expect(withoutRewards.adapter_sha256).toBe(withoutSteps.adapter_sha256)
  },
  180_000,
)

test.runIf(thorough).each(['bco.beta=0', 'optimizer.lr=0', 'demo.noise=0.5'])(
  'with %s the share stays within 0.1 of its start',
  async (setting) => {
    const { up_rate_first, up_rate_last, unseen_rate_first, unseen_rate_last } = await demo(
      '--events',
      '600',
      '--set',
      setting,
    )
    expect(Math.abs(up_rate_last - up_rate_first)).toBeLessThanOrEqual(0.1)
    expect(Math.abs(unseen_rate_last - unseen_rate_first)).toBeLessThanOrEqual(0.1)
  },
  240_000,
)
