import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { eventually, trainedIds, vote, voteIds, votes } from './feedback.js'
import { expectUnharmed } from './oracle.js'

const kafka = new TestBroker('repeats')
const PARTITIONS = 3

async function daemonOn(topic: string, settings: Readonly<Record<string, unknown>> = {}): Promise<DaemonProcess> {
  await kafka.client.topic(topic, PARTITIONS)
  const daemon = await DaemonProcess.create(join(kafka.directory, topic), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'batch.size': 8, 'batch.maxLatency': '200ms', 'checkpoint.every': '300ms' },
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  return daemon
}

/** Waits for so many trained votes and their checkpoint, stops the daemon and compares it with a run without a fault. */
async function expectEach(daemon: DaemonProcess, topic: string, count: number): Promise<void> {
  await eventually(() => trainedIds(daemon.journal()).length >= count)
  await daemon.until((status) => settled(status) && status.held_back === 0)
  await sleep(1_000)
  expect(await daemon.stop()).toBe(0)
  const expected = { topic, groupId: topic, trained: voteIds(0, count), letters: 0 }
  await expectUnharmed(daemon, kafka.client, { brokers: [kafka.broker.bootstrap] }, expected)
}

/** Fisher and Yates, with a generator that gives the same order each time. */
function shuffled<T>(items: readonly T[]): T[] {
  const all = [...items]
  let state = 12_345
  for (let i = all.length - 1; i > 0; i--) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    const j = state % (i + 1)
    ;[all[i], all[j]] = [all[j]!, all[i]!]
  }
  return all
}

test('every event three times, in random order and with a kill -9 in between, trains once', async () => {
  const VOTES = 240
  const daemon = await daemonOn('thrice')
  const records = votes(0, VOTES).map((record, i) => ({ ...record, partition: i % PARTITIONS }))
  const all = shuffled([...records, ...records, ...records])
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  await kafka.client.send('thrice', all.slice(0, 400))
  await daemon.until(({ step }) => step >= 5)
  await daemon.kill()
  daemon.start()
  await kafka.client.send('thrice', all.slice(400))
  await expectEach(daemon, 'thrice', VOTES)
})

test.runIf(thorough).each([
  ['back by an hour', -3_600_000],
  ['forward by an hour', 3_600_000],
])(
  'the wall clock set %s: held votes go on all the same, and none is lost or trains twice',
  async (name, step) => {
    const topic = name.replaceAll(' ', '-')
    const daemon = await daemonOn(topic, { 'stream.holdBack': '2s' })
    daemon.environment = { NODE_OPTIONS: '--import ./tests/support/clock.mjs', BCOD_CLOCK_STEP: String(step) }
    daemon.start()
    await daemon.until(({ state }) => state === 'running')
    const spread = (from: number, count: number) =>
      votes(from, count).map((record, i) => ({ ...record, partition: i % PARTITIONS }))
    await kafka.client.send(topic, spread(0, 12))
    await daemon.until(({ held_back }) => held_back === 12)
    daemon.signal('SIGUSR2')
    await sleep(500)
    // the last votes: no later record moves the watermark for them
    await kafka.client.send(topic, spread(12, 12))
    await expectEach(daemon, topic, 24)
  },
  180_000,
)

test.runIf(thorough)('timestamps of the broker that go back hold nothing up', async () => {
  const daemon = await daemonOn('backwards', { 'stream.holdBack': '1s' })
  const now = Date.now()
  const records = Array.from({ length: 30 }, (_, i) => ({
    ...vote(i, { partition: i % PARTITIONS }),
    timestamp: String(now - i * 60_000),
  }))
  daemon.start()
  await kafka.client.send('backwards', records)
  await expectEach(daemon, 'backwards', 30)
})
