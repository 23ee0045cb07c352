import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { eventually, offsetsOf, trainedIds, voteIds, votes } from './feedback.js'

const kafka = new TestBroker('standby')
const SESSION_MS = 6_000

/** Two daemons for one adapter: one topic, one group, one directory of checkpoints. */
async function pairOn(topic: string): Promise<readonly [DaemonProcess, DaemonProcess]> {
  await kafka.client.topic(topic, 2)
  const line = join(kafka.directory, topic)
  const create = async (name: string) => {
    const daemon = await DaemonProcess.create(join(kafka.directory, `${topic}-${name}`), {
      ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
      ...{ 'stream.sessionTimeout': `${SESSION_MS}ms`, 'batch.size': 4, 'batch.maxLatency': '200ms' },
      ...{ 'checkpoint.dir': join(line, 'checkpoints'), 'adapters.dir': join(line, 'adapters') },
      ...{ 'checkpoint.everySteps': 1, 'checkpoint.every': '300ms' },
    })
    onTestFinished(() => daemon.kill())
    return daemon
  }
  return [await create('first'), await create('second')]
}

const send = (topic: string, from: number, count: number) =>
  kafka.client.send(
    topic,
    votes(from, count).map((record, i) => ({ ...record, partition: i % 2 })),
  )

/** Waits until so many votes are trained and checkpointed. */
async function untilTrained(daemon: DaemonProcess, count: number): Promise<void> {
  await eventually(() => trainedIds(daemon.journal()).length >= count, 30_000)
  await daemon.until(settled)
  await sleep(500)
}

/** Steps count on without a gap, and each vote is in exactly one of them. */
function expectOneLine(daemon: DaemonProcess, count: number): void {
  const lines = daemon.journal()
  expect(lines.map(({ step }) => step)).toEqual(lines.map((_, i) => i + 1))
  expect(trainedIds(lines).sort()).toEqual(voteIds(0, count).sort())
}

const running = (status: { state: string; partitions: readonly number[] }) =>
  status.state === 'running' && status.partitions.length === 2

test('a second daemon stands by, not ready and alive, while the first trains; when that stops it goes on', async () => {
  const [first, second] = await pairOn('handover')
  first.start()
  await first.until(running)
  second.start()
  await second.until(({ state }) => state === 'standby')
  await send('handover', 0, 20)
  await untilTrained(first, 20)
  const status = await second.status()
  expect(status).toMatchObject({ state: 'standby', step: 0, partitions: [] })
  expect((await second.get('/readyz'))?.status).toBe(503)
  expect((await second.get('/livez'))?.status).toBe(200)
  await expect.poll(() => second.metric('bcod_lifecycle_state{state="standby"}')).toBe(1)
  expect(second.log).toContain('standing by')

  expect(await first.stop()).toBe(0)
  await second.until(running)
  await send('handover', 20, 12)
  await untilTrained(second, 32)
  expect((await second.get('/readyz'))?.status).toBe(200)
  expect(await second.stop()).toBe(0)
  expectOneLine(second, 32)
  const { end, committed } = await offsetsOf(kafka.client, 'handover', 'handover')
  expect(committed).toEqual(end)
})

test.runIf(thorough)(
  'killed -9, the first is followed once its membership has expired; a daemon that stands by ends by SIGTERM',
  async () => {
    const [first, second] = await pairOn('killed')
    first.start()
    await first.until(running)
    second.start()
    await second.until(({ state }) => state === 'standby')
    expect(await second.stop()).toBe(0)
    // it wrote nothing and took no fence
    await send('killed', 0, 8)
    await untilTrained(first, 8)
    second.start()
    await second.until(({ state }) => state === 'standby')
    await first.kill()
    await send('killed', 8, 8)
    await second.until(running, 4 * SESSION_MS)
    await untilTrained(second, 16)
    expect(await second.stop()).toBe(0)
    expectOneLine(second, 16)
  },
)

test.runIf(thorough)(
  'a daemon that was out of the group while another took over stops with FENCED when it wakes',
  async () => {
    const [first, second] = await pairOn('expelled')
    first.start()
    await first.until(running)
    await send('expelled', 0, 8)
    await untilTrained(first, 8)
    second.start()
    await second.until(({ state }) => state === 'standby')
    first.signal('SIGSTOP')
    await second.until(running, 4 * SESSION_MS)
    await send('expelled', 8, 8)
    await untilTrained(second, 16)
    first.signal('SIGCONT')
    expect(await first.exit(20_000)).toMatchObject({ code: 1 })
    expect(first.log).toMatch(/^FENCED /m)
    await send('expelled', 16, 8)
    await second.until(running)
    await untilTrained(second, 24)
    expect(await second.stop()).toBe(0)
    expectOneLine(second, 24)
  },
)
