import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { adapterSha256 } from '../../src/adapters/weights/adapter.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { DaemonProcess, freePort, settled } from '../support/daemon.js'
import { liveVersion } from '../support/live-version.js'
import { OwnBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { byName, eventually, offsetsOf, trainedIds, voteIds, votes } from './feedback.js'

const kafka = new OwnBroker('lifecycle')
const { directory } = kafka

const daemonOn = async (topic: string, settings: Readonly<Record<string, unknown>> = {}) => {
  const daemon = await DaemonProcess.create(join(directory, topic), {
    'stream.brokers': [kafka.broker.bootstrap],
    'stream.topic': topic,
    'stream.groupId': topic,
    'batch.maxLatency': '300ms',
    'checkpoint.every': '300ms',
    'checkpoint.everySteps': 5,
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  return daemon
}

/** Reads the live adapter over and over, as a server does, until it is told to stop; gives how often it found one. */
function follow(daemon: DaemonProcess): () => Promise<number> {
  let stopped = false
  const versions = new Set<string>()
  const following = (async () => {
    while (!stopped) {
      const version = liveVersion(daemon.adapters)
      if (version !== null) {
        adapterSha256(readAdapter(join(daemon.adapters, 'live')).tensors)
        versions.add(version)
      }
      await sleep(5)
    }
    return versions.size
  })()
  following.catch(() => undefined)
  return () => {
    stopped = true
    return following
  }
}

test('probes tell loading from running', async () => {
  await kafka.client.topic('probes', 2)
  const daemon = await daemonOn('probes')
  daemon.start()
  let first = await daemon.get('/readyz')
  while (first === null) first = await daemon.get('/readyz')
  expect(first.status).toBe(503)
  const { failing } = (await first.json()) as { failing: { name: string }[] }
  expect(failing.map(({ name }) => name)).toEqual(['model', 'assignment', 'running'])
  expect((await daemon.get('/livez'))?.status).toBe(200)

  const status = await daemon.until(({ state }) => state === 'running')
  expect((await daemon.get('/readyz'))?.status).toBe(200)
  expect((await daemon.get('/livez'))?.status).toBe(200)
  expect(status).toMatchObject({
    ...{ step: 0, delta: null, adapter: null, waiting: 0, held_back: 0, dead_letters_waiting: 0, paused: false },
    ...{ partitions: [0, 1], lag: { 0: 0, 1: 0 } },
    ...{ ready: true, not_ready: [], last_step_time: null, classifier_trust: null, dead_letters: {} },
  })
  await expect.poll(() => daemon.metric('bcod_lifecycle_state{state="running"}')).toBe(1)
  const history = await (await daemon.get('/v1/history'))?.json()
  expect(history).toMatchObject({ points: { state: expect.arrayContaining(['running']) }, dead_letters: [] })
  expect(await (await daemon.get('/'))?.text()).toContain('assets/page.js')
  expect(await daemon.stop()).toBe(0)
})

test.runIf(thorough)(
  'while programs are compiled, probes and scrapes are answered and the group keeps its member',
  async () => {
    await kafka.client.topic('compile')
    // XLA compiles each block shape for seconds; the votes are so long that a step takes several
    const daemon = await daemonOn('compile', {
      ...{ 'model.executor': 'xla', 'limits.maxLength': 200, 'batch.tokens': 1024, 'batch.size': 8 },
      ...{ 'batch.stratify': false, 'batch.maxLatency': '2s' },
    })
    daemon.start()
    await daemon.until(({ state }) => state === 'running')
    const tokens = (count: number) => Array.from({ length: count }, (_, i) => 3 + ((i * 17) % 250))
    const long = votes(0, 8, { promptTokens: tokens(150), completionTokens: tokens(20) })
    await kafka.client.send('compile', [...long, ...votes(8, 5)])
    let [slowest, answers] = [0, 0]
    for (let step = 0; step < 2; ) {
      const asked = performance.now()
      const all = await Promise.all(['/livez', '/readyz', '/metrics', '/status'].map((path) => daemon.get(path)))
      slowest = Math.max(slowest, performance.now() - asked)
      expect(all.map((each) => each?.status)).toEqual([200, 200, 200, 200])
      // an answer that is not read keeps its connection, and the port has so many
      const bodies = await Promise.all(all.map((each) => each?.text()))
      step = (JSON.parse(bodies[3] ?? '') as { step: number }).step
      answers += 1
      await sleep(20)
    }
    const compiled = [...daemon.log.matchAll(/"event":"ProgramCompiled".*?"ms":([\d.]+)/g)].map(([, ms]) => Number(ms))
    expect(answers).toBeGreaterThan(50)
    expect(slowest).toBeLessThan(Math.max(...compiled) / 2)
    await daemon.until(settled)
    expect(daemon.log.match(/"event":"AssignmentChanged"/g)).toHaveLength(1)
    expect(await daemon.stop()).toBe(0)
    expect(trainedIds(daemon.journal())).toEqual(voteIds(0, 13))
  },
)

test.runIf(thorough)(
  'stopped in a backlog, it goes on with exactly the rest; servers always find a whole adapter',
  async () => {
    await kafka.client.topic('backlog')
    await kafka.client.send('backlog', votes(0, 600))
    const daemon = await daemonOn('backlog', { 'batch.size': 4, 'batch.stratify': false })
    const stopFollowing = follow(daemon)
    daemon.start()
    await daemon.until(({ step }) => step >= 7)
    const asked = Date.now()
    expect(await daemon.stop()).toBe(0)
    expect(Date.now() - asked).toBeLessThan(30_000)
    const first = trainedIds(daemon.journal())
    expect(first.length).toBeLessThan(600)
    expect(first).toEqual(voteIds(0, first.length))
    expect((await offsetsOf(kafka.client, 'backlog', 'backlog')).committed).toEqual({ 0: String(first.length) })
    expect(daemon.checkpointNames().at(-1)).toContain(String(first.length / 4).padStart(8, '0'))

    daemon.start()
    await daemon.until(({ step }) => step >= first.length / 4 + 10)
    // more than two, for the system may merge those that come before the first is taken
    const impatient = setInterval(() => daemon.signal('SIGTERM'), 2)
    expect(await daemon.exit(5_000)).toEqual({ code: null, signal: 'SIGKILL' })
    clearInterval(impatient)

    daemon.start()
    await daemon.until((status) => settled(status) && status.step === 150)
    expect(await daemon.stop()).toBe(0)
    const lines = daemon.journal()
    expect(trainedIds(lines)).toEqual(voteIds(0, 600))
    expect(lines.map(({ step }) => step)).toEqual(Array.from({ length: 150 }, (_, i) => i + 1))
    expect(liveVersion(daemon.adapters)).toBe('v00000150')
    expect(adapterSha256(readAdapter(join(daemon.adapters, 'live')).tensors)).toBe(lines.at(-1)!.adapter_sha256)
    expect(await stopFollowing()).toBeGreaterThan(3)

    daemon.start()
    await daemon.until(settled)
    await sleep(700)
    expect(await daemon.stop()).toBe(0)
    expect(daemon.journal()).toEqual(lines)
    expect(daemon.checkpointNames().at(-1)).toMatch(/^step-00000150/)
  },
)

test('too few for a batch, votes train once the oldest has waited for batch.maxLatency', async () => {
  await kafka.client.topic('latency')
  const daemon = await daemonOn('latency', { 'batch.maxLatency': '1500ms' })
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  await kafka.client.send('latency', votes(0, 3))
  await daemon.until(({ waiting }) => waiting === 3)
  const arrived = Date.now()
  await daemon.until(({ step }) => step === 1)
  expect(Date.now() - arrived).toBeGreaterThan(1000)
  expect(await daemon.stop()).toBe(0)
  expect(daemon.journal().map((line) => trainedIds([line]).sort(byName))).toEqual([voteIds(0, 3)])
})

test.runIf(thorough)('with batch.maxLatency=0 votes wait for a full batch, over a kill -9', async () => {
  await kafka.client.topic('patience')
  const daemon = await daemonOn('patience', { 'batch.maxLatency': 0 })
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  const before = daemon.checkpointNames().length
  await kafka.client.send('patience', votes(0, 3))
  await daemon.until(({ waiting }) => waiting === 3)
  await eventually(() => daemon.checkpointNames().length > before)
  await daemon.kill()

  daemon.start()
  await daemon.until(({ state, waiting }) => state === 'running' && waiting === 3)
  await eventually(async () => (await kafka.client.committed('patience', 'patience'))[0] === '0')
  await kafka.client.send('patience', votes(3, 5))
  await daemon.until((status) => settled(status) && status.step === 1)
  expect(await daemon.stop()).toBe(0)
  expect(daemon.journal().map((line) => trainedIds([line]).sort(byName))).toEqual([voteIds(0, 8)])
  expect((await offsetsOf(kafka.client, 'patience', 'patience')).committed).toEqual({ 0: '8' })
})

test('it ends in order when it is stopped while loading and before a broker has answered', async () => {
  const nowhere = `127.0.0.1:${await freePort()}`
  const daemon = await daemonOn('early', { 'stream.brokers': [nowhere], 'stream.connectTimeout': '60s' })
  for (const stage of ['loading', 'joining']) {
    daemon.start()
    await daemon.says(new RegExp(`"state":"${stage}"`))
    const asked = Date.now()
    daemon.signal('SIGTERM')
    expect(await daemon.exit(30_000), daemon.log).toEqual({ code: 0, signal: null })
    expect(Date.now() - asked).toBeLessThan(10_000)
    expect(daemon.log).not.toMatch(/"level":"?(error|fatal|50|60)/)
    expect(daemon.checkpointNames()).toEqual([])
  }
})

test.runIf(thorough)(
  'it ends in order within 30 s when the broker hangs, and goes on without loss',
  { timeout: 90_000 },
  async () => {
    await kafka.client.topic('hung')
    await kafka.client.send('hung', votes(0, 16))
    const daemon = await daemonOn('hung', { 'batch.size': 2, 'stream.connectTimeout': '3s' })
    daemon.start()
    await daemon.until((status) => settled(status) && status.step > 0)
    await kafka.client.send('hung', votes(16, 200))
    await daemon.until(({ step }) => step > 12)
    process.kill(kafka.broker.pid, 'SIGSTOP')
    onTestFinished(() => void process.kill(kafka.broker.pid, 'SIGCONT'))
    await sleep(500) // a commit is under way now
    const asked = Date.now()
    expect(await daemon.stop(), daemon.log).toBe(0)
    expect(Date.now() - asked).toBeLessThan(30_000)
    process.kill(kafka.broker.pid, 'SIGCONT')

    daemon.start()
    await daemon.until((status) => settled(status), 60_000)
    expect(await daemon.stop()).toBe(0)
    expect(trainedIds(daemon.journal()).sort(byName)).toEqual(voteIds(0, 216))
    const { end, committed } = await offsetsOf(kafka.client, 'hung', 'hung')
    expect(committed).toEqual(end)
  },
)
