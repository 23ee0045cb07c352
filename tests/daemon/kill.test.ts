import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { JournalLine } from '../../src/checkpoint/journal.js'
import type { LogRecord } from '../../src/events/types.js'
import { KafkaFeedbackLog } from '../../src/streams/kafka/log.js'
import { DaemonProcess, type Status, settled } from '../support/daemon.js'
import { type Broker, startBroker } from '../support/kafka-broker.js'
import { OtherClient, Reading, until } from '../support/kafka-reading.js'

const VALID = 2000
const BAD = 20
const PARTITIONS = 3
const TOPIC = 'feedback'

const directory = mkdtempSync(join(tmpdir(), 'bcod-kill-'))
let broker: Broker
let client: OtherClient

beforeAll(async () => {
  broker = await startBroker()
  client = await OtherClient.connect(broker.bootstrap)
  await client.topic(TOPIC, PARTITIONS)
})
afterAll(async () => {
  await client.close()
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** A vote on a completion of random tokens; every hundredth record is of no use. */
function record(index: number): { key: string; value: string; partition: number } {
  const partition = index % PARTITIONS
  const token = (i: number) => 3 + ((index * 31 + i * 17) % 250)
  const tokens = (from: number, count: number) => Array.from({ length: count }, (_, i) => token(from + i))
  const data = {
    prompt_tokens: tokens(0, 4 + (index % 5)),
    completion_tokens: tokens(20, 3 + (index % 7)),
    label: index % 3 !== 0,
  }
  const event = {
    specversion: '1.0',
    type: 'bcod.feedback.v1',
    source: 'test',
    id: `vote-${index}`,
    subject: `answer-${index}`,
    data,
  }
  return { key: `answer-${index}`, value: JSON.stringify(event), partition }
}
const UNUSABLE = [
  'not json',
  '{"prompt":"x","completion":"y"}',
  '{"prompt":"x","completion":"y","label":"yes"}',
  '[1,2,3]',
  '{"prompt_tokens":[1],"completion_tokens":[9999],"label":true}',
]

/** Every record of a topic, from its start to its present end. */
async function readAll(topic: string): Promise<readonly LogRecord[]> {
  const log = new KafkaFeedbackLog({ brokers: [broker.bootstrap], topic, groupId: 'onlooker', dlq: `${topic}.unused` })
  const reading = new Reading(log)
  const ends = await client.admin.fetchTopicOffsets(topic)
  await until(() =>
    ends.every(({ partition, offset }) => offset === '0' || (reading.next.get(partition) ?? 0) >= Number(offset)),
  )
  await log.close()
  return reading.records
}

test('killed -9 at random moments, every vote trains in exactly one step of a line that replays to the same adapter', async () => {
  const daemon = await DaemonProcess.create(directory, {
    'stream.brokers': [broker.bootstrap],
    'stream.topic': TOPIC,
    'stream.sessionTimeout': '6s',
    'batch.maxLatency': '500ms',
    'checkpoint.everySteps': 3,
    'checkpoint.every': '1s',
    'checkpoint.keep': 2,
  })
  const records = Array.from({ length: VALID }, (_, i) => record(i))
  const bad = Array.from({ length: BAD }, (_, i) => ({
    value: UNUSABLE[i % UNUSABLE.length]!,
    partition: i % PARTITIONS,
  }))
  bad.forEach((letter, i) => {
    records.splice(i * 101, 0, { key: `bad-${i}`, ...letter })
  })
  const publish = async () => {
    for (let start = 0; start < records.length; start += 100) {
      await client.send(TOPIC, records.slice(start, start + 100))
      await sleep(150)
    }
  }
  const publishing = publish()

  let killed = 0
  let seen = 0
  while (killed < 4) {
    daemon.start()
    // each life makes some progress first, and ends at an instant that nothing in it chooses
    const goal = seen + 5 + Math.floor(Math.random() * 20)
    seen = (await daemon.until(({ step }) => step >= goal)).step
    await sleep(Math.random() * 400)
    await daemon.kill()
    killed++
  }
  daemon.start()
  await publishing
  // the broker takes a killed member's partitions away only after the session timeout
  const done = (status: Status) => settled(status) && status.partitions.length === PARTITIONS
  await daemon.until(done, 120_000)
  await sleep(1500) // a last checkpoint for the last positions
  await daemon.until(done)
  expect(await daemon.stop()).toBe(0)

  const lines = readFileSync(join(daemon.checkpoints, 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as JournalLine)
  expect(lines.map(({ step }) => step)).toEqual(lines.map((_, i) => i + 1))
  const trained = lines.flatMap(({ events }) => events.map(({ id }) => id))
  expect(trained.length).toBe(VALID)
  expect(new Set(trained)).toEqual(new Set(Array.from({ length: VALID }, (_, i) => `vote-${i}`)))

  const letters = await readAll(`${TOPIC}.dlq`)
  const headers = letters.map(({ headers }) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value).toString()])),
  )
  const positions = new Set(
    headers.map((h) => `${h['bcod.error.topic']}-${h['bcod.error.partition']}-${h['bcod.error.offset']}`),
  )
  expect(positions.size).toBe(BAD)
  for (const header of headers) expect(header['bcod.error.code']).toMatch(/^FEEDBACK_/)

  const ends = await client.admin.fetchTopicOffsets(TOPIC)
  const [group] = await client.admin.fetchOffsets({ groupId: 'bcod', topics: [TOPIC] })
  for (const { partition, offset } of group!.partitions)
    expect(offset, `group offset of partition ${partition}`).toBe(
      ends.find((end) => end.partition === partition)!.offset,
    )

  const out = join(directory, 'replayed')
  const replayed = execFileSync(
    process.execPath,
    ['dist/cli.js', 'replay', '--lineage', daemon.checkpoints, '--out', out, '--json'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  )
  const summary = JSON.parse(replayed.trim().split('\n').at(-1)!) as {
    steps: number
    events: number
    adapter_sha256: string
  }
  expect(summary.steps).toBe(lines.length)
  expect(summary.adapter_sha256).toBe(lines.at(-1)!.adapter_sha256)
  const published = JSON.parse(readFileSync(join(daemon.adapters, 'live', 'bcod.json'), 'utf8')) as { sha256: string }
  expect(published.sha256).toBe(summary.adapter_sha256)
}, 300_000)
