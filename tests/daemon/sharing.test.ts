import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import kafkajs from 'kafkajs'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { readLetters, trainedIds, vote, voteIds, votes } from './feedback.js'

const kafka = new TestBroker('sharing')

async function daemonOn(topic: string, name: string, settings: Readonly<Record<string, unknown>>) {
  const daemon = await DaemonProcess.create(join(kafka.directory, name), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': name },
    ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.every': '300ms' },
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  return daemon
}

const framed = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, 0, 7]), Buffer.from(text)])

test.runIf(thorough)(
  'daemons with a shard each train every vote once between them, all votes on an answer in one, and one writes each letter',
  async () => {
    await kafka.client.topic('shards', 2)
    const records = votes(0, 60).map((record, i) => ({ ...record, partition: i % 2 }))
    const changed = votes(0, 60, { partition: 0 }).map((record, i) => ({
      ...record,
      partition: i % 2,
      value: record.value.replace(`vote-${i}"`, `again-${i}"`).replace('"label":true', '"label":false'),
    }))
    await kafka.client.send('shards', [...records, { key: 'x', value: 'not json' }, ...changed])
    const daemons = await Promise.all(
      [0, 1, 2].map((shard) => daemonOn('shards', `shard-${shard}`, { 'stream.shard': shard, 'stream.shards': 3 })),
    )
    for (const daemon of daemons) {
      daemon.start()
      await daemon.until((status) => settled(status) && status.step > 0 && status.partitions.length === 2)
    }
    const others = await Promise.all(
      daemons.map((daemon) => daemon.metric('bcod_feedback_dropped_total{reason="other_shard"}')),
    )
    expect(others.reduce((sum, count) => sum + count, 0)).toBe(2 * 121)
    for (const daemon of daemons) expect(await daemon.stop()).toBe(0)

    const events = daemons.map((daemon) => daemon.journal().flatMap((line) => line.events))
    const ups = voteIds(0, 60).filter((_, i) => i % 3 !== 0)
    const expected = [...voteIds(0, 60), ...ups.map((id) => id.replace('vote', 'again'))]
    expect(events.flatMap((each) => each.map(({ id }) => id)).sort()).toEqual(expected.sort())
    const numbers = events.map((each) => new Set(each.map(({ id }) => id.split('-')[1])))
    expect(numbers.reduce((sum, each) => sum + each.size, 0)).toBe(60)
    for (const each of numbers) expect(each.size).toBeGreaterThan(5)
    expect(await readLetters(kafka.client, 'shards.dlq', { brokers: [kafka.broker.bootstrap] })).toHaveLength(1)
  },
)

test('framed and compressed JSON trains, tombstones retract, strangers and the stale are refused, and tap shows it all without text', async () => {
  await kafka.client.topic('mixed')
  const daemon = await daemonOn('mixed', 'mixed', {
    ...{ 'stream.holdBack': '2s', 'stream.tombstones': 'retract', 'batch.size': 1 },
    ...{ 'limits.sources': ['test', 'mixed'], 'limits.adapterAge': 1 },
  })
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  const tap = spawn(process.execPath, ['dist/cli.js', 'tap', '--url', `http://127.0.0.1:${daemon.port}`, '--json'])
  let seen = ''
  tap.stdout.on('data', (chunk) => {
    seen += chunk
  })
  onTestFinished(() => void tap.kill())
  await expect.poll(() => isConnected(tap.pid!, daemon.port), { timeout: 30_000, interval: 100 }).toBe(true)
  await new Promise((resolve) => setTimeout(resolve, 1_000))
  expect(seen).toBe('')

  const plain = vote(0)
  const stranger = vote(1, { id: 'stranger' })
  await kafka.client.send('mixed', [{ key: plain.key, value: framed(plain.value) }], kafkajs.CompressionTypes.GZIP)
  await kafka.client.send(
    'mixed',
    [
      { key: stranger.key, value: stranger.value.replace('"source":"test"', '"source":"elsewhere"') },
      vote(2, { user: 'ada-the-user' }),
      vote(2, { id: 'by-bob', user: 'bob-the-user' }),
      { key: 'answer-2', value: null },
      vote(3),
      { key: null, value: null },
      'not json',
    ].map((each) => (typeof each === 'string' ? { value: each } : each)),
  )
  await daemon.until((status) => settled(status) && status.step === 2)
  // two steps are behind us: what version 0 wrote is stale now
  const old = vote(4)
  await kafka.client.send('mixed', [{ ...old, value: old.value.replace('"label"', '"adapter":"v00000000","label"') }])
  await daemon.until((status) => settled(status) && status.lag[0] === 0)
  const count = (series: string) => daemon.metric(`bcod_${series}`)
  await expect.poll(() => count('feedback_dropped_total{reason="stale"}'), { timeout: 10_000 }).toBe(1)
  expect(await count('framed_records_total')).toBe(1)
  for (const [reason, dropped] of Object.entries({ source_refused: 1, retracted: 2, retraction: 1, tombstone: 1 }))
    expect(await count(`feedback_dropped_total{reason="${reason}"}`), reason).toBe(dropped)

  await expect.poll(() => seen, { timeout: 10_000 }).toContain('"reason":"stale"')
  tap.kill()
  expect(await daemon.stop()).toBe(0)
  expect(trainedIds(daemon.journal())).toEqual(['vote-0', 'vote-3'])

  const lines = seen
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  const ends = lines
    .filter(({ kind }) => ['dropped', 'trained', 'dead_letter'].includes(String(kind)))
    .map(({ kind, offset, reason, code, step }) => `${offset} ${kind} ${reason ?? code ?? step}`)
  expect(ends.sort()).toEqual([
    '0 trained 1',
    '1 dropped source_refused',
    '2 dropped retracted',
    '3 dropped retracted',
    '4 dropped retraction',
    '5 trained 2',
    '6 dropped tombstone',
    '7 dead_letter FEEDBACK_NOT_JSON',
    '8 dropped stale',
  ])
  expect(lines.filter(({ kind }) => kind === 'step')).toHaveLength(2)
  for (const secret of ['ada-the-user', 'bob-the-user', 'answer-', 'not json']) expect(seen).not.toContain(secret)
})

/** Whether a process has an open connection to a port of this machine. */
function isConnected(pid: number, port: number): boolean {
  const links = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
  const inodes = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(
      ([, , remote, state]) =>
        remote?.endsWith(`:${port.toString(16).toUpperCase().padStart(4, '0')}`) && state === '01',
    )
    .map((columns) => columns[9])
  return inodes.some((inode) => links.includes(`socket:[${inode}]`))
}
