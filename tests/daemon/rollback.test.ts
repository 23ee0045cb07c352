import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import type { MoveSummary } from '../../src/adapters/moves/move.js'
import type { ListedVersion } from '../../src/adapters/registry/registry-reader.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { liveVersion } from '../support/live-version.js'
import { TestBroker } from '../support/test-broker.js'
import { cases } from '../support/thorough.js'
import { trainedIds, voteIds, votes } from './feedback.js'
import { replayLineage } from './oracle.js'

const kafka = new TestBroker('rollback')
const TOKEN = 'open sesame to me'

async function daemonOn(topic: string): Promise<DaemonProcess> {
  await kafka.client.topic(topic)
  const daemon = await DaemonProcess.create(join(kafka.directory, topic), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.every': '0', 'checkpoint.everySteps': 1 },
  })
  daemon.environment = { BCOD_SERVER_ADMIN_TOKEN: TOKEN }
  onTestFinished(() => daemon.kill())
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  return daemon
}

/** Steps 1 to `count`, each of which is live before the next one begins. */
async function liveSteps(daemon: DaemonProcess, topic: string, count: number): Promise<void> {
  for (let step = 1; step <= count; step++) {
    await kafka.client.send(topic, votes(4 * (step - 1), 4))
    await daemon.until((status) => settled(status) && status.adapters?.live === `v0000000${step}`)
  }
}

/** `bcod adapters …` as an operator runs it beside the daemon. */
function adapters<T = MoveSummary>(daemon: DaemonProcess, ...args: readonly string[]): T {
  const all = ['dist/cli.js', 'adapters', ...args, '--adapters', daemon.adapters, '--json']
  return JSON.parse(execFileSync(process.execPath, all, { encoding: 'utf8' })) as T
}

async function ask({ port }: DaemonProcess, verb: string, body: object) {
  const headers = { authorization: `Bearer ${TOKEN}` }
  const request = { method: 'POST', headers, body: JSON.stringify(body) }
  const response = await fetch(`http://127.0.0.1:${port}/v1/admin/${verb}`, request)
  return { status: response.status, body: (await response.json()) as unknown }
}

test('a rollback beside the daemon stops learning within seconds, over a restart, until somebody resumes', async () => {
  const daemon = await daemonOn('beside')
  await liveSteps(daemon, 'beside', 3)
  expect(adapters(daemon, 'rollback')).toMatchObject({ live: 'v00000002', previous: 'v00000001', frozen: true })
  // two seconds between looks
  const frozen = await daemon.until((status) => status.training_paused, 10_000)
  expect(frozen.adapters).toMatchObject({ live: 'v00000002', frozen: true })
  expect(liveVersion(daemon.adapters)).toBe('v00000002')
  await expect.poll(() => daemon.metric('bcod_rollbacks_total{cause="operator"}')).toBe(1)
  await expect.poll(() => daemon.metric('bcod_adapter_state{state="rolled_back"}')).toBe(1)
  await expect.poll(() => daemon.metric('bcod_adapter_version')).toBe(2)

  await kafka.client.send('beside', votes(12, 8))
  await daemon.until(({ waiting }) => waiting === 8)
  await sleep(1_000)
  expect(await daemon.status()).toMatchObject({ step: 3, waiting: 8 })
  const refused = await ask(daemon, 'resume', {})
  expect(refused).toMatchObject({ status: 409, body: { error: { code: 'ADAPTER_FROZEN' } } })

  await daemon.kill()
  daemon.start()
  // it has read them again, and the adapter of the last checkpoint is not published again
  await daemon.until(
    ({ waiting, state, training_paused: isPaused }) => isPaused && state === 'running' && waiting === 8,
  )
  await sleep(1_000)
  expect(await daemon.status()).toMatchObject({ step: 3, adapters: { live: 'v00000002' } })
  await expect.poll(() => daemon.metric('bcod_training_paused')).toBe(1)

  expect(adapters(daemon, 'resume', '--keep')).toMatchObject({ frozen: false })
  await daemon.until((status) => settled(status) && status.adapters?.live === 'v00000005')
  expect(await daemon.stop()).toBe(0)
  expect(trainedIds(daemon.journal()).sort()).toEqual(voteIds(0, 20).sort())
  const listed = adapters<readonly ListedVersion[]>(daemon, 'list')
  expect(listed.map(({ version, state }) => `${version} ${state}`)).toEqual([
    ...['v00000001 retired', 'v00000002 retired', 'v00000003 rolled_back'],
    // the fifth step may be there before the gate has looked at the fourth
    expect.stringMatching(/^v00000004 (retired|candidate)$/),
    'v00000005 live',
  ])
  const { adapter_sha256: replayed } = replayLineage(daemon)
  expect(replayed).toBe(listed.at(-1)!.sha256)
  // the votes of v00000004 are those since v00000002: of the version that was rolled back, too
  const v4 = listed[3]!
  expect(v4).toMatchObject({ parent: 'v00000002', checkpoint: expect.stringMatching(/^step-00000004/) })
  const counts = [...Object.values(v4.votes!.up), ...Object.values(v4.votes!.down)]
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(8)
})

test('over HTTP a rollback holds at once, and pins and promotions are followed by the daemon', async () => {
  const daemon = await daemonOn('over-http')
  await liveSteps(daemon, 'over-http', 2)
  const rolled = await ask(daemon, 'adapters/rollback', {})
  expect(rolled).toMatchObject({ status: 200, body: { live: 'v00000001', frozen: true } })
  expect(await daemon.status()).toMatchObject({ training_paused: true, adapters: { live: 'v00000001' } })
  expect(await ask(daemon, 'adapters/resume', { keep: true })).toMatchObject({ body: { frozen: false } })
  expect(await daemon.status()).toMatchObject({ training_paused: false })
  expect(await ask(daemon, 'adapters/pin', { version: 'live' })).toMatchObject({ body: { pinned: 'v00000001' } })
  await kafka.client.send('over-http', votes(8, 4))
  // it learns on, and the new version waits
  const held = await daemon.until((status) => settled(status) && status.adapters?.candidate === 'v00000003')
  expect(held.adapters).toMatchObject({ live: 'v00000001', pinned: 'v00000001' })
  const isHeld = () => daemon.metric('bcod_adapter_publish_total{outcome="held"}')
  await expect.poll(isHeld, { timeout: 60_000 }).toBe(1)
  const ungated = await ask(daemon, 'adapters/promote', { version: 'v00000002' })
  expect(ungated).toMatchObject({ status: 409, body: { error: { code: 'ADAPTER_UNGATED' } } })
  expect(await ask(daemon, 'adapters/promote', { version: 1 })).toMatchObject({ status: 400 })
  adapters(daemon, 'pin', '--off')
  adapters(daemon, 'promote', 'v00000003', '--force')
  await daemon.until((status) => status.adapters?.live === 'v00000003', 10_000)
  expect(await daemon.stop()).toBe(0)
})

test('resume --from goes on from an older version once, whoever dies on the way; no vote trains twice', async () => {
  const topic = 'from'
  const daemon = await daemonOn(topic)
  await liveSteps(daemon, topic, 3)
  adapters(daemon, 'rollback', '--to', 'v00000001')
  await daemon.until((status) => status.training_paused, 10_000)
  await kafka.client.send(topic, votes(12, 4))
  await daemon.until(({ waiting }) => waiting === 4)
  await daemon.kill()
  const checkpoints = ['--set', `checkpoint.dir=${daemon.checkpoints}`]
  expect(adapters(daemon, 'resume', '--from', 'v00000001', ...checkpoints)).toMatchObject({
    ...{ frozen: true, resume_from: 'v00000001' },
  })
  for (const stage of cases(
    ['resumption journaled', 'checkpoint MANIFEST.json', 'checkpoint durable', 'move resumed written'],
    ['resumption journaled', 'move resumed written'],
  )) {
    daemon.startToDieAt(stage)
    expect(await daemon.exit(), stage).toEqual({ code: null, signal: 'SIGKILL' })
  }
  daemon.start()
  await daemon.until((status) => settled(status) && status.adapters?.live === 'v00000005')
  expect(await daemon.stop()).toBe(0)
  const lines = daemon.journal()
  expect(lines.map(({ step, resumed }) => [step, resumed?.from ?? null])).toEqual([
    ...[1, 2, 3].map((step) => [step, null]),
    [4, 1],
    [5, null],
  ])
  expect(trainedIds(lines).sort()).toEqual(voteIds(0, 16).sort())
  expect(replayLineage(daemon).adapter_sha256).toBe(lines.at(-1)!.adapter_sha256)
})
