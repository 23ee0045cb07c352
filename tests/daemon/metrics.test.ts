import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { armOf, type Routing } from '../../src/adapters/registry/routing.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { RecordedVllm } from '../support/recorded-vllm.js'
import { spoiltModel } from '../support/spoilt-model.js'
import { TestBroker } from '../support/test-broker.js'
import { CONTRACT } from '../telemetry/contract.js'
import { type VoteChanges, vote } from './feedback.js'

const kafka = new TestBroker('metrics')
/** A token whose log-probability is not a number; no other vote holds it. */
const SPOILT = 1
const HOUR = 3_600_000

/** Every series of an exposition: name and labels, and its value. */
const seriesOf = (text: string): ReadonlyMap<string, number> =>
  new Map(
    text
      .split('\n')
      .filter((line) => line.startsWith('bcod_'))
      .map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )

/** Of tokens that the small vocabulary of the spoilt model has. */
const small = (index: number, changes: VoteChanges = {}) =>
  vote(index, {
    ...{ promptTokens: [5, 6, 7 + (index % 60)], completionTokens: [10 + (index % 70), 20 + (index % 90), 30] },
    ...changes,
  })

test('every metric that others rely on moves when its cause is made to happen', async () => {
  await kafka.client.topic('moves', 1, { 'retention.ms': String(HOUR) })
  const server = await RecordedVllm.start()
  const daemon = await DaemonProcess.create(join(kafka.directory, 'moves'), {
    ...{ 'publish.targets': [{ kind: 'vllm', urls: [server.url] }], 'publish.attest': 0 },
    ...{ 'canary.controlShare': 0.5, 'canary.baseModel': 'base' },
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': 'moves', 'stream.groupId': 'moves' },
    ...{ 'model.path': spoiltModel(join(kafka.directory, 'spoilt'), SPOILT, Number.NaN), 'stream.holdBack': '500ms' },
    ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.every': '300ms', 'ratio.minPerClass': 2 },
    ...{ 'ratio.min': 0.999, 'ratio.max': 1.001 },
  })
  onTestFinished(() => daemon.kill())
  const token = 'a-token-of-the-metrics-test-0123'
  daemon.environment = { BCOD_SERVER_ADMIN_TOKEN: token }
  const scrape = async () => seriesOf((await (await daemon.get('/metrics'))?.text()) ?? '')
  daemon.start()
  await daemon.until(({ state }) => state !== 'failed')
  const before = await scrape()

  // the prompt tells the label, so that weights go beyond their bounds; completions differ
  const told = (index: number) => {
    const label = index % 2 === 0
    return small(index, { label, promptTokens: [label ? 5 : 105, 6, 7 + (index % 60)] })
  }
  const old = { ...small(900), timestamp: String(Date.now() - HOUR / 2) }
  await kafka.client.send('moves', [...Array.from({ length: 160 }, (_, i) => told(i)), old])
  await daemon.until((status) => status.step > 35)
  await kafka.client.send('moves', [
    { key: 'x', value: 'not json', partition: 0 },
    small(200, { id: 'vote-200' }),
    small(200, { id: 'vote-200' }),
    small(201, { user: 'ada' }),
    small(201, { id: 'taken-back', user: 'ada', label: null }),
    small(300, { promptTokens: [5, SPOILT, 7] }),
    ...[400, 401, 402, 403, 404, 405].map((index) => small(index)),
  ])
  const held: number[] = []
  const lag: number[] = []
  await daemon.until((status) => {
    held.push(status.held_back)
    lag.push(status.lag[0] ?? 0)
    return settled(status) && status.step > 38 && held.some((count) => count > 0)
  })
  const gauges = async () => {
    const now = await scrape()
    return [now.has('bcod_retention_headroom_seconds'), now.get('bcod_consumer_lag_records{partition="0"}')]
  }
  // the live version stays while nothing waits
  const routing = (await (await daemon.get('/routing'))?.json()) as Routing
  const ofArms = Array.from({ length: 120 }, (_, i) => {
    const user = `of-an-arm-${i}`
    return small(1000 + i, { user, adapter: armOf(routing, user)!.model })
  })
  await kafka.client.send('moves', ofArms)
  await expect.poll(async () => (await scrape()).has('bcod_uplift_ratio'), { timeout: 45_000 }).toBe(true)
  await daemon.until(settled)
  await expect.poll(gauges, { timeout: 45_000 }).toEqual([true, 0])
  const headers = { authorization: `Bearer ${token}` }
  const ask = (verb: string, body: object) =>
    fetch(`http://127.0.0.1:${daemon.port}/v1/admin/adapters/${verb}`, {
      ...{ method: 'POST', headers, body: JSON.stringify(body) },
    })
  await ask('rollback', {})
  await ask('resume', { from: 'live' })
  await expect
    .poll(async () => (await scrape()).get('bcod_abandoned_votes_total'), { timeout: 45_000 })
    .toBeGreaterThan(0)
  const served = `{target="127.0.0.1:${server.port}"}`
  const version = async () => (await scrape()).get(`bcod_served_version${served}`)
  await expect.poll(version, { timeout: 45_000 }).toBeGreaterThan(0)
  await server.close()
  const mismatch = async () => (await scrape()).get(`bcod_serving_mismatch${served}`)
  await expect.poll(mismatch, { timeout: 45_000 }).toBe(1)
  const after = await scrape()

  const moved = (name: string) =>
    [...after].some(
      ([series, value]) =>
        new RegExp(`^bcod_${name}(_count|_sum)?(\\{|$)`).test(series) && before.get(series) !== value,
    )
  // a gauge that is at 0 again, and one that never changes
  const seen: Record<string, boolean> = {
    held_back_records: Math.max(...held) > 0 && after.get('bcod_held_back_records') === 0,
    consumer_lag_records: Math.max(...lag) > 0 && after.get('bcod_consumer_lag_records{partition="0"}') === 0,
    // polled above; it is absent without the server
    served_version: true,
    build_info: [...after.keys()].some((series) => series.startsWith('bcod_build_info{')),
  }
  expect(CONTRACT.map(([name]) => name).filter((name) => !(seen[name] ?? moved(name)))).toEqual([])
  for (const [series, value] of [
    ['bcod_feedback_events_total{label="retract"}', 1],
    ['bcod_feedback_dropped_total{reason="duplicate"}', 1],
    ['bcod_dead_letters_total{code="FEEDBACK_NOT_JSON"}', 1],
    ['bcod_dead_letters_total{code="TRAIN_NONFINITE"}', 1],
    ['bcod_quarantined_events_total', 1],
  ] as const)
    expect([series, after.get(series)]).toEqual([series, value])
  expect(after.get('bcod_retention_headroom_seconds')).toBeGreaterThan(0)
  expect(after.get('bcod_retention_headroom_seconds')).toBeLessThanOrEqual(HOUR / 1000)
  expect(after.get('bcod_device_memory_bytes')).toBeGreaterThan(1e7)
  expect(await daemon.stop()).toBe(0)
}, 240_000)
