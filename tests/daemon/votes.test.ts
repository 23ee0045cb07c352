import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { offsetsOf, vote } from './feedback.js'

const kafka = new TestBroker('votes')
const { directory } = kafka

const daemonOn = async (topic: string, holdBack: string | number, settings: Readonly<Record<string, unknown>> = {}) => {
  await kafka.client.topic(topic)
  const daemon = await DaemonProcess.create(join(directory, topic), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'stream.holdBack': holdBack, 'batch.size': 1, 'checkpoint.every': '300ms' },
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  return daemon
}

const steps = (daemon: DaemonProcess) =>
  daemon.journal().map(({ events }) => events.map(({ id, label }) => `${id} ${label ? 'up' : 'down'}`))

const dropped = (daemon: DaemonProcess, reason: string) =>
  daemon.metric(`bcod_feedback_dropped_total{reason="${reason}"}`)

test('a changed vote trains again; a repeated one, a duplicate, and a label that has trained before do not', async () => {
  const daemon = await daemonOn('changes', 0)
  const by = { subject: 'answer', user: 'ada' }
  await kafka.client.send('changes', [
    vote(0, { ...by, id: 'first', label: true }),
    vote(0, { ...by, id: 'changed', label: false }),
    vote(0, { ...by, id: 'again', label: false }),
    vote(0, { ...by, id: 'first', label: true }),
    vote(0, { ...by, id: 'other-user', label: false, user: 'bob' }),
    vote(0, { ...by, id: 'back', label: null }),
    vote(0, { ...by, id: 'anew', label: false }),
  ])
  await daemon.until((status) => settled(status) && status.step === 3)
  expect(await dropped(daemon, 'repeat')).toBe(2)
  expect(await dropped(daemon, 'duplicate')).toBe(1)
  expect(await dropped(daemon, 'retraction')).toBe(1)
  await expect.poll(() => daemon.metric('bcod_feedback_events_total{label="up"}')).toBe(2)
  await expect.poll(() => daemon.metric('bcod_feedback_events_total{label="down"}')).toBe(4)
  await expect.poll(() => daemon.metric('bcod_feedback_events_total{label="retract"}')).toBe(1)

  // what trained is remembered over a kill -9
  await daemon.kill()
  daemon.start()
  await daemon.until(settled)
  await kafka.client.send('changes', [
    vote(0, { ...by, id: 'once-more', label: false }),
    vote(0, { ...by, id: 'changed', label: false }),
    vote(0, { ...by, id: 'up-once-more', label: true }),
    vote(1, { id: 'last', subject: 'another', label: true }),
  ])
  await daemon.until((status) => settled(status) && status.step === 4)
  expect([await dropped(daemon, 'repeat'), await dropped(daemon, 'duplicate')]).toEqual([2, 1])
  expect(await daemon.stop()).toBe(0)
  expect(steps(daemon)).toEqual([['first up'], ['changed down'], ['other-user down'], ['last up']])
  const { end, committed } = await offsetsOf(kafka.client, 'changes', 'changes')
  expect(committed).toEqual(end)
})

test.runIf(thorough)('while a vote is held back the latest label wins and a retraction takes it out', async () => {
  const daemon = await daemonOn('held', '5s')
  const by = { subject: 'answer', user: 'ada' }
  await kafka.client.send('held', [
    vote(0, { ...by, id: 'up', label: true }),
    vote(0, { ...by, id: 'down', label: false }),
    vote(1, { id: 'regretted', subject: 'other', label: true }),
    vote(1, { id: 'back', subject: 'other', label: null }),
  ])
  const { step } = await daemon.until(({ held_back }) => held_back === 1)
  expect(step).toBe(0)
  expect(Number((await kafka.client.committed('held', 'held'))[0])).toBeLessThan(4)
  await daemon.until((status) => settled(status) && status.step === 1)
  expect(await dropped(daemon, 'superseded')).toBe(1)
  expect(await dropped(daemon, 'retracted')).toBe(1)
  expect(await daemon.stop()).toBe(0)
  expect(steps(daemon)).toEqual([['down down']])
  expect((await offsetsOf(kafka.client, 'held', 'held')).committed).toEqual({ 0: '4' })
})

test('held-out votes never train, are kept over a kill -9, and change and go with their voters', async () => {
  const daemon = await daemonOn('held-out', 0, { 'eval.holdOut': 0.4 })
  const byLabel = (metric: string, ...labels: string[]) =>
    Promise.all(labels.map((label) => daemon.metric(`${metric}{label="${label}"}`)))
  const kept = () => byLabel('bcod_held_out_votes', 'up', 'down')
  const read = () => byLabel('bcod_feedback_events_total', 'up', 'down', 'retract')
  const index = Array.from({ length: 30 }, (_, i) => i)
  await kafka.client.send(
    'held-out',
    index.map((i) => vote(i, { id: `first-${i}`, label: true })),
  )
  await expect.poll(read, { timeout: 60_000 }).toEqual([30, 0, 0])
  const { step } = await daemon.until(settled)
  await expect.poll(() => steps(daemon).length).toBe(step)
  const trained = new Set(steps(daemon).flat())
  const heldOut = index.filter((i) => !trained.has(`first-${i} up`))
  // Binomial(30, 0.4): four standard deviations are 10.7
  expect(Math.abs(heldOut.length - 12)).toBeLessThan(10.7)
  await expect.poll(kept).toEqual([heldOut.length, 0])

  await daemon.kill()
  daemon.start()
  await daemon.until(settled)
  await expect.poll(kept).toEqual([heldOut.length, 0])
  const [changed, retracted] = heldOut as [number, number]
  await kafka.client.send('held-out', [
    vote(changed, { id: 'changed', label: false }),
    vote(retracted, { id: 'retracted', label: null }),
    // another completion of a prompt that is held out
    vote(changed, { id: 'other', subject: 'another answer', completionTokens: [3, 4], label: true }),
  ])
  await expect.poll(read, { timeout: 60_000 }).toEqual([1, 1, 1])
  await daemon.until(settled)
  await expect.poll(kept).toEqual([heldOut.length - 1, 1])
  expect(await daemon.stop()).toBe(0)
  expect(steps(daemon)).toHaveLength(30 - heldOut.length)
  const { end, committed } = await offsetsOf(kafka.client, 'held-out', 'held-out')
  expect(committed).toEqual(end)
})

test.runIf(thorough)(
  'clocks of producers that are off harm nobody: a vote that changes in time trains once, with its last label',
  async () => {
    const daemon = await daemonOn('clocks', '4s')
    const dated = (sent: ReturnType<typeof vote>, timestamp: number) => ({ ...sent, timestamp: String(timestamp) })
    await kafka.client.send('clocks', [
      dated(vote(1, { id: 'ahead' }), Date.now() + 50 * 60_000),
      dated(vote(2, { id: 'absent' }), -1),
      dated(vote(4, { id: 'back' }), Date.now() - 10 * 60_000),
    ])
    const by = { subject: 'answer', user: 'ada' }
    await kafka.client.send('clocks', [vote(0, { ...by, id: 'up', label: true })])
    await daemon.until(({ held_back }) => held_back === 4)
    await kafka.client.send('clocks', [vote(0, { ...by, id: 'down', label: false })])
    await daemon.until((status) => settled(status) && status.step === 4)
    expect(await dropped(daemon, 'superseded')).toBe(1)
    const corrected = (reason: string) => daemon.metric(`bcod_event_times_corrected_total{reason="${reason}"}`)
    expect(await Promise.all(['ahead', 'absent', 'back'].map(corrected))).toEqual([1, 1, 1])
    expect(await daemon.stop()).toBe(0)
    expect(steps(daemon).at(-1)).toEqual(['down down'])
    expect(daemon.log).not.toContain('"level":"error"')
  },
)

test("votes before another program's open transaction train, those behind it are told of, and train once it ends", async () => {
  const daemon = await daemonOn('transaction', '2s')
  await kafka.client.send('transaction', [vote(1, { id: 'before' })])
  const transaction = await kafka.client.open('transaction', [vote(2, { id: 'inside' }).value])
  await kafka.client.send('transaction', [vote(3, { id: 'behind' })])
  const waits = await daemon.until(({ step, uncommitted }) => step === 1 && uncommitted[0] !== undefined)
  await expect.poll(() => steps(daemon)).toEqual([['before up']])
  expect([waits.lag[0], waits.uncommitted[0]?.records, waits.held_back]).toEqual([2, 2, 0])
  await expect.poll(() => daemon.metric('bcod_uncommitted_records{partition="0"}')).toBe(2)
  await daemon.until(({ uncommitted }) => (uncommitted[0]?.seconds ?? 0) > 1)
  await expect.poll(() => daemon.metric('bcod_uncommitted_seconds')).toBeGreaterThan(1)
  await transaction.commit()
  await daemon.until((status) => settled(status) && status.step === 3)
  await expect.poll(() => daemon.metric('bcod_uncommitted_records{partition="0"}')).toBe(0)
  expect(await daemon.stop()).toBe(0)
})
