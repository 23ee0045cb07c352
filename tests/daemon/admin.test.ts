import { rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { liveVersion } from '../support/live-version.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { trainedIds, voteIds, votes } from './feedback.js'

const kafka = new TestBroker('admin')
const TOKEN = 'open sesame to me'

async function daemonOn(topic: string, descriptors: number | null = null): Promise<DaemonProcess> {
  await kafka.client.topic(topic)
  const daemon = await DaemonProcess.create(join(kafka.directory, topic), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.every': '0', 'checkpoint.everySteps': 0 },
  })
  daemon.environment = { BCOD_SERVER_ADMIN_TOKEN: TOKEN }
  daemon.descriptors = descriptors
  onTestFinished(() => daemon.kill())
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  return daemon
}

async function ask({ port }: DaemonProcess, verb: string, token = TOKEN) {
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`http://127.0.0.1:${port}/v1/admin/${verb}`, { method: 'POST', headers })
  return { status: response.status, body: (await response.json()) as unknown }
}

/** A daemon that has stopped in order while eight votes waited for the end of a pause. */
async function stoppedInAPause(topic: string): Promise<DaemonProcess> {
  const daemon = await daemonOn(topic)
  await ask(daemon, 'pause')
  await kafka.client.send(topic, votes(0, 8))
  await daemon.until(({ waiting }) => waiting === 8)
  expect(await daemon.stop()).toBe(0)
  return daemon
}

test('a checkpoint that is asked for is written, committed and published at once', async () => {
  const daemon = await daemonOn('asked')
  await kafka.client.send('asked', votes(0, 8))
  const { step } = await daemon.until((status) => settled(status) && status.step > 0)
  expect(liveVersion(daemon.adapters)).toBeNull() // none is due by the settings
  expect(await kafka.client.committed('asked', 'asked')).not.toEqual({ 0: '8' })
  const version = `v${String(step).padStart(8, '0')}`
  expect(await ask(daemon, 'checkpoint')).toEqual({ status: 200, body: { step, adapter: version } })
  expect(liveVersion(daemon.adapters)).toBe(version)
  expect(await kafka.client.committed('asked', 'asked')).toEqual({ 0: '8' })
  expect(await ask(daemon, 'checkpoint')).toEqual({ status: 200, body: { step, adapter: version } })
})

test('a checkpoint whose adapter cannot be published says so, and the next one publishes it', async () => {
  const daemon = await daemonOn('unpublished')
  await kafka.client.send('unpublished', votes(0, 8))
  await daemon.until((status) => settled(status) && status.step > 0)
  rmSync(daemon.adapters, { recursive: true, force: true })
  writeFileSync(daemon.adapters, 'no directory')
  const failed = await ask(daemon, 'checkpoint')
  expect(failed).toMatchObject({ status: 409, body: { error: { code: 'CHECKPOINT_FAILED' } } })
  rmSync(daemon.adapters)
  expect(await ask(daemon, 'checkpoint')).toMatchObject({ status: 200 })
  expect(liveVersion(daemon.adapters)).not.toBeNull()
})

test('while it is paused no step begins, though votes are read; afterwards each trains once', async () => {
  const daemon = await daemonOn('paused')
  expect(await ask(daemon, 'pause')).toEqual({ status: 200, body: { training_paused: true } })
  expect(await ask(daemon, 'pause')).toMatchObject({ status: 200 })
  await kafka.client.send('paused', votes(0, 12))
  await daemon.until(({ waiting }) => waiting === 12)
  await sleep(1000) // five times batch.maxLatency
  expect(await daemon.status()).toMatchObject({ step: 0, state: 'running', training_paused: true })
  await expect.poll(() => daemon.metric('bcod_training_paused')).toBe(1)
  expect(await ask(daemon, 'checkpoint')).toMatchObject({ status: 200, body: { step: 0 } })
  expect(await ask(daemon, 'resume')).toEqual({ status: 200, body: { training_paused: false } })
  await daemon.until((status) => settled(status) && status.step === 3)
  await expect.poll(() => daemon.metric('bcod_training_paused')).toBe(0)
  expect(await daemon.stop()).toBe(0)
  expect(trainedIds(daemon.journal()).sort()).toEqual(voteIds(0, 12).sort())
})

test.runIf(thorough)('a pause holds up neither a stop nor what waits: the next process trains it', async () => {
  const daemon = await stoppedInAPause('stopped')
  daemon.start()
  await daemon.until((status) => settled(status) && status.step === 2)
  expect(await daemon.stop()).toBe(0)
  expect(trainedIds(daemon.journal()).sort()).toEqual(voteIds(0, 8).sort())
})

test.runIf(thorough)('what waits from a source that is shut out before the next start never trains', async () => {
  const daemon = await stoppedInAPause('shut-out')
  daemon.start('--set', 'limits.sources=["chat-web"]')
  await daemon.until((status) => status.state === 'running' && settled(status))
  await expect.poll(() => daemon.metric('bcod_feedback_dropped_total{reason="source_refused"}')).toBe(8)
  expect(await daemon.status()).toMatchObject({ step: 0, waiting: 0, lag: { 0: 0 } })
})

test('a wrong token does nothing, a weak one is remarked on, and a daemon that does not run yet says so', async () => {
  const daemon = await daemonOn('refused')
  // what `check` would tell of this configuration, once
  expect(daemon.log.match(/"ExposureFound".*/g)).toEqual([expect.stringContaining('"about":"admin token"')])
  expect(await ask(daemon, 'pause', 'guess')).toMatchObject({ status: 401, body: { error: { code: 'UNAUTHORIZED' } } })
  expect(await daemon.status()).toMatchObject({ training_paused: false })
  const second = await DaemonProcess.create(join(kafka.directory, 'second'), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': 'refused', 'stream.groupId': 'refused' },
  })
  second.environment = daemon.environment
  onTestFinished(() => second.kill())
  second.start()
  await second.until(({ state }) => state === 'standby')
  expect(await ask(second, 'checkpoint')).toMatchObject({ status: 409, body: { error: { code: 'NOT_RUNNING' } } })
})

/** Keeps `count` connections open that ask for nothing, and opens another for each that is ended, until it is stopped. */
function crowd(port: number, count: number): { opened(): number; stop(): void } {
  const sockets = new Set<Socket>()
  let opened = 0
  let stopped = false
  const open = () => {
    if (stopped) return
    const socket = connect(port, '127.0.0.1', () => {
      opened += 1
      socket.write('GET /livez HTTP/1.1\r\nHost: x\r\n') // and never the empty line
    })
    sockets.add(socket)
    socket.on('error', () => {}).resume()
    socket.once('close', () => {
      sockets.delete(socket)
      setTimeout(open, 100)
    })
  }
  for (let i = 0; i < count; i++) open()
  return {
    opened: () => opened,
    stop() {
      stopped = true
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** As kubelet and Prometheus do: the crowd is of the same address, and may displace a connection that has just come. */
async function insistently<T>(question: () => Promise<T | null>): Promise<T | null> {
  for (let tries = 1; ; tries++) {
    const answer = await question()
    if (answer !== null || tries === 5) return answer
  }
}

test('more connections than it may open descriptors neither end it nor keep votes, checkpoints, probes or the operator out', async () => {
  // Node opens its modules many at a time while it starts, and needs more than 128 for that
  const DESCRIPTORS = 256
  const daemon = await daemonOn('crowded', DESCRIPTORS)
  const attack = crowd(daemon.port, 2 * DESCRIPTORS)
  onTestFinished(() => attack.stop())
  await expect.poll(attack.opened, { timeout: 10_000 }).toBeGreaterThan(4 * DESCRIPTORS)
  await kafka.client.send('crowded', votes(0, 8))
  await daemon.until((status) => settled(status) && status.step === 2)
  for (const path of ['/livez', '/readyz', '/metrics', '/'])
    expect(await insistently(() => daemon.get(path)), path).toMatchObject({ status: 200 })
  const answer = await insistently(() => ask(daemon, 'checkpoint').catch(() => null))
  expect(answer).toMatchObject({ status: 200, body: { step: 2 } })
  attack.stop()
  const refused = () => daemon.metric('bcod_http_refused_total{reason="connection"}')
  await expect.poll(refused, { timeout: 10_000 }).toBeGreaterThan(2 * DESCRIPTORS)
  expect(daemon.log).toContain('server.maxConnections were open')
  expect(daemon.ended).toBe(false)
  expect(await daemon.stop()).toBe(0)
  expect(trainedIds(daemon.journal()).sort()).toEqual(voteIds(0, 8).sort())
})
