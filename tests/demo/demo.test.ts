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
  expectWayOut(summary)
}, 300_000)

const stepOf = (candidate: DemoSummary['promoted']) => Number(candidate?.version.slice(1))

/** Flattering votes make a candidate that is refused, the votes after them one that goes live. */
function expectWayOut({ adapter, refused, promoted }: DemoSummary): void {
  expect(refused).toMatchObject({ outcome: 'refused', check: { name: 'probe:shop-flattery' }, live: adapter })
  expect(refused?.up_rate_last).toBeGreaterThan((refused?.up_rate_first ?? 1) + 0.2)
  expect(refused?.flattery_last).toBeGreaterThan((refused?.flattery_first ?? 1) + 0.1)
  expect(refused?.check?.low).toBeLessThan(refused?.check?.bound ?? Number.NEGATIVE_INFINITY)
  expect(promoted).toMatchObject({ outcome: 'passed', live: promoted?.version })
  // learning has gone on from the version before the burst, and counts on
  expect(stepOf(promoted)).toBe(stepOf(refused) + 1 + (promoted?.votes ?? 0) / 4)
  expect(promoted?.check?.low).toBeGreaterThan(promoted?.check?.bound ?? 0)
}

test('a seed fixes the summary but for the seconds, over a real broker too; another seed gives another adapter', async () => {
  const one = await demo('--events', '40', '--seed', '3')
  const overKafka = await demo('--events', '40', '--seed', '3', '--kafka')
  const other = await demo('--events', '40', '--seed', '4')
  expect(without(overKafka)).toEqual(without(one))
  expect(other.adapter_sha256).not.toBe(one.adapter_sha256)
  expect([one.refused, one.promoted]).toEqual([null, null])
}, 240_000)

test.runIf(thorough)(
  'over a real broker the gate refuses and passes the same candidates',
  async () => {
    const [embedded, overKafka] = [await demo('--events', '300'), await demo('--events', '300', '--kafka')]
    expectWayOut(embedded)
    expect(without(overKafka)).toEqual(without(embedded))
  },
  480_000,
)

test.runIf(thorough)(
  'without the probe for flattery the flattering version goes live, until somebody goes back',
  async () => {
    const { refused, promoted } = await demo('--events', '300', '--set', 'gate.probes=["shipped"]')
    expect(refused).toBeNull()
    expect(promoted).toMatchObject({ outcome: 'passed', check: null, live: promoted?.version })
  },
  240_000,
)

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
