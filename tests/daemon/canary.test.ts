import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Move } from '../../src/adapters/moves/move.js'
import { Registry } from '../../src/adapters/registry/registry.js'
import { armOf, type Routing } from '../../src/adapters/registry/routing.js'
import type { DaemonStatus } from '../../src/daemon/status.js'
import { votes } from './feedback.js'
import { NOW, place } from './in-process.js'

const SETTINGS = {
  ...{
    'batch.size': 32,
    'canary.share': 0.3,
    'canary.minVotes': 100,
    'canary.margin': 0.2,
    'canary.controlShare': 0.2,
  },
  ...{ 'canary.baseModel': 'llama', 'canary.maxDuration': '1h', 'stream.holdBack': '0' },
}

type Started = ReturnType<ReturnType<typeof place>['start']>

/** A place with v00000001 live and v00000002 as the canary, and a control. */
async function underTest(settings: object = {}) {
  const here = place({ ...SETTINGS, ...settings })
  const { scheduler, config } = here
  const registry = new Registry(config.adapters.dir, { by: 'cli' })
  let sent = 0
  const send = (to: Started, changes: Parameters<typeof votes>[2] = {}, count = 1) => {
    to.log.append(
      votes(sent, count, changes).map(({ key, value }) => ({
        ...{ timestamp: NOW, key: Buffer.from(key), value: Buffer.from(value), headers: {} },
      })),
    )
    sent += count
  }
  /** Time passes until something holds. */
  const pass = async <T>(value: () => T | Promise<T>, holds: (value: T) => boolean): Promise<T> => {
    for (const end = Date.now() + 30_000; ; ) {
      const now = await value()
      if (holds(now)) return now
      if (Date.now() > end) throw new Error(`still ${JSON.stringify(now)}, waiting for ${holds}`)
      scheduler.advance(2_000)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }
  const untilMoved = (holds: (move: Move) => boolean) => pass(() => registry.current(), holds)
  const untilShown = ({ daemon }: Started, holds: (status: DaemonStatus) => boolean) =>
    pass(() => daemon.status(), holds)
  const first = here.start()
  await first.until(({ state }) => state === 'running')
  send(first, {}, 32)
  await untilMoved(({ aliases }) => aliases.live === 'v00000001')
  await untilMoved(({ arms }) => arms?.control != null)
  send(first, {}, 32)
  await untilMoved(({ aliases }) => aliases.canary === 'v00000002')
  await untilShown(first, ({ canary }) => canary !== null)
  const untilMetric = (line: string) =>
    pass(
      () => first.telemetry.metrics.text(),
      (text) => text.includes(line),
    )
  return { ...here, registry, first, send, untilMoved, untilShown, untilMetric }
}

/** The first users of an arm. */
function usersOf(routing: Routing, arm: string, count: number): readonly string[] {
  const users: string[] = []
  for (let i = 0; users.length < count && i < 100 * count; i++)
    if (armOf(routing, `user-${i}`)?.name === arm) users.push(`user-${i}`)
  if (users.length < count) throw new Error(`no users for ${arm} in ${JSON.stringify(routing)}`)
  return users
}

type Place = Awaited<ReturnType<typeof underTest>>

/** Users of an arm vote once each on answers of a version. */
function say({ send, first }: Place, arm: string, adapter: string, ups: number, downs: number, to = first): void {
  const routing = to.daemon.routing() as Routing
  for (const [i, user] of usersOf(routing, arm, ups + downs).entries()) send(to, { user, adapter, label: i < ups })
}

const reportOf = ({ config }: Place, version: string) =>
  JSON.parse(readFileSync(join(config.adapters.dir, version, 'canary.json'), 'utf8'))

test('a version that has passed its gate is the canary, and routers know which users get it', async () => {
  const here = await underTest()
  const { arms } = here.first.daemon.routing() as Routing
  expect(arms).toEqual([
    { name: 'control', version: null, model: 'llama', share: 0.2 },
    { name: 'canary', version: 'v00000002', model: 'bcod-v00000002', share: 0.3 },
    { name: 'live', version: 'v00000001', model: 'bcod-v00000001', share: 0.5 },
  ])
  expect(here.first.daemon.status()).toMatchObject({
    adapter: 'v00000001',
    canary: { version: 'v00000002', against: 'v00000001', outcome: 'open', difference: null },
  })
  await here.untilMetric('bcod_adapter_publish_total{outcome="canary"} 1')
})

test('a canary that users like as much as live is promoted, with the evidence; the newest that waited has its turn', async () => {
  const here = await underTest()
  say(here, 'live', 'bcod-v00000001', 120, 30)
  say(here, 'canary', 'bcod-v00000002', 124, 26)
  const { aliases } = await here.untilMoved(({ aliases: { live, canary } }) => live === 'v00000002' && canary !== null)
  expect(aliases.previous).toBe('v00000001')
  expect(Number(aliases.canary?.slice(1))).toBeGreaterThan(2)
  const report = reportOf(here, 'v00000002')
  expect(report).toMatchObject({ outcome: 'promoted', passed: true, against: 'v00000001', min_votes: 100 })
  expect(report.canary.votes).toBeGreaterThanOrEqual(100)
  expect(report.live.votes).toBeGreaterThanOrEqual(100)
  expect(report.low).toBeGreaterThan(-0.2)
  await here.untilMetric('bcod_canaries_total{outcome="promoted"} 1')
  await here.untilMetric('bcod_rollbacks_total{cause="canary"} 0')
  expect((await here.registry.show('v00000002')).canary).toEqual(report)
})

test('a canary that users like less is rolled back by itself, and learning goes on', async () => {
  const here = await underTest()
  say(here, 'live', 'v00000001', 120, 30)
  say(here, 'canary', 'v00000002', 60, 90)
  const { aliases, states, frozen } = await here.untilMoved(({ states }) => states.v00000002 === 'rolled_back')
  expect([aliases.live, frozen]).toEqual(['v00000001', false])
  expect(states.v00000002).toBe('rolled_back')
  const report = reportOf(here, 'v00000002')
  expect(report).toMatchObject({ outcome: 'worse', passed: false })
  expect(report.high).toBeLessThan(0)
  await here.first.until(({ training_paused: isPaused }) => !isPaused)
  await here.untilMetric('bcod_rollbacks_total{cause="canary"} 1')
})

test('uplift is measured against control', async () => {
  const here = await underTest()
  say(here, 'control', 'llama', 40, 40)
  say(here, 'live', 'v00000001', 60, 20)
  await here.untilShown(here.first, ({ uplift, arms }) => uplift !== null && arms?.live?.votes === 80)
  const { uplift, arms } = here.first.daemon.status()
  expect(arms).toMatchObject({ control: { votes: 80, users: 80, up_ratio: 0.5 }, live: { up_ratio: 0.75 } })
  expect(uplift).toMatchObject({ value: 0.25, since: expect.any(Number) })
  await here.untilMetric('bcod_uplift_ratio 0.25\n')
  await here.untilMetric('bcod_arm_up_ratio{arm="live"} 0.75\n')
  await here.untilMetric('bcod_arm_votes_total{arm="control",label="up"} 40\n')
})

test('forged arms, duplicates and what is taken back do not count; a restart counts nothing twice', async () => {
  const here = await underTest()
  const { first, send, start } = here
  const routing = first.daemon.routing() as Routing
  const inLive = usersOf(routing, 'live', 50)
  // users of live who say that the canary has answered them, and arms that are none
  for (const user of inLive) send(first, { user, adapter: 'v00000002', arm: 'canary', label: false })
  for (const user of inLive) send(first, { user, adapter: 'v00000009', label: false })
  const [user] = usersOf(routing, 'canary', 1) as [string]
  for (let i = 0; i < 3; i++) send(first, { user, adapter: 'v00000002', id: 'same', subject: 'a', label: true })
  send(first, { user, adapter: 'v00000002', subject: 'b', label: true })
  send(first, { user, adapter: 'v00000002', subject: 'b', label: null })
  send(first, { user, adapter: 'v00000002', subject: 'c', label: true })
  send(first, { user, adapter: 'v00000002', subject: 'c', label: false })
  await here.untilShown(first, ({ lag }) => (lag[0] ?? 0) < 32)
  const counted = { votes: 2, users: 1, up_ratio: 0.5 }
  expect(first.daemon.status().arms?.canary).toEqual(counted)
  const text = await first.telemetry.metrics.text()
  expect(text).toContain('bcod_arm_votes_unmatched_total{reason="user"} 50')
  expect(text).toContain('bcod_arm_votes_unmatched_total{reason="version"} 114')
  await first.stop()
  const second = start()
  await here.untilShown(second, ({ state, canary }) => state === 'running' && canary !== null)
  expect(second.daemon.status().arms?.canary).toEqual(counted)
  for (let i = 0; i < 3; i++) send(second, { user, adapter: 'v00000002', id: 'same', subject: 'a', label: true })
  send(second, { user, adapter: 'v00000002', subject: 'd', label: true })
  await here.untilShown(second, ({ arms }) => arms?.canary?.votes !== 2)
  expect(second.daemon.status().arms?.canary).toEqual({ votes: 3, users: 1, up_ratio: 2 / 3 })
  await second.stop()
})

test('a canary without a verdict is refused after canary.maxDuration', async () => {
  const here = await underTest()
  here.scheduler.advance(3_600_000)
  await here.untilMoved(({ states }) => states.v00000002 === 'refused')
  expect(reportOf(here, 'v00000002')).toMatchObject({ outcome: 'undecided', passed: false, difference: null })
  await here.untilMetric('bcod_canaries_total{outcome="undecided"} 1')
})

test('a rollback by a person ends the test', async () => {
  const here = await underTest()
  say(here, 'canary', 'v00000002', 5, 5)
  await here.untilShown(here.first, ({ canary }) => canary?.canary.votes === 10)
  await here.registry.rollback({ to: 'v00000001' })
  await here.untilShown(here.first, ({ canary }) => canary === null)
  await expect.poll(() => reportOf(here, 'v00000002').outcome).toBe('ended')
  expect(reportOf(here, 'v00000002').canary.votes).toBe(10)
})

test('with publish.mode=manual a canary that has passed waits for a person', async () => {
  const here = await underTest()
  await here.first.stop()
  const set = { ...here.config, publish: { ...here.config.publish, mode: 'manual' as const } }
  const second = here.start(undefined, { config: set })
  await here.untilShown(second, ({ state, canary }) => state === 'running' && canary !== null)
  say(here, 'live', 'v00000001', 120, 30, second)
  say(here, 'canary', 'v00000002', 124, 26, second)
  await here.untilShown(second, ({ canary }) => canary?.passed === true)
  expect((await here.registry.current()).aliases).toMatchObject({ live: 'v00000001', canary: 'v00000002' })
  await here.registry.promote('v00000002')
  await here.untilMoved(({ aliases: { live, canary } }) => live === 'v00000002' && canary !== null)
  expect(reportOf(here, 'v00000002')).toMatchObject({ outcome: 'promoted', passed: true })
  await second.stop()
})

test('turned off, a canary that was under test ends, and all get the live version', async () => {
  const here = await underTest()
  await here.first.stop()
  const canary = { ...here.config.canary, share: 0, controlShare: 0 }
  const second = here.start(undefined, { config: { ...here.config, canary } })
  await here.untilMoved(({ states, arms }) => states.v00000002 === 'refused' && arms?.control === null)
  await here.untilShown(second, ({ adapters }) => adapters?.canary === null)
  await expect
    .poll(() => (second.daemon.routing() as Routing).arms)
    .toEqual([{ name: 'live', version: 'v00000001', model: 'bcod-v00000001', share: 1 }])
  expect(second.daemon.status()).toMatchObject({ arms: null, canary: null, uplift: null })
  await second.stop()
})
