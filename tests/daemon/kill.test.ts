import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DaemonStatus } from '../../src/daemon/status.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { type Broker, startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { thorough } from '../support/thorough.js'
import { voteIds } from './feedback.js'
import { expectUnharmed } from './oracle.js'

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

// in `make test` kill-stages.test.ts kills
test.runIf(thorough)(
  'killed -9 at random moments, every vote trains in exactly one step of a line that replays to the same adapter',
  async () => {
    const daemon = await DaemonProcess.create(directory, {
      'stream.brokers': [broker.bootstrap],
      'stream.topic': TOPIC,
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
    const done = (status: DaemonStatus) => settled(status) && status.partitions.length === PARTITIONS
    await daemon.until(done, 120_000)
    await sleep(1500) // a last checkpoint for the last positions
    await daemon.until(done)
    expect(await daemon.stop()).toBe(0)

    const connection = { brokers: [broker.bootstrap] }
    const expected = { topic: TOPIC, groupId: 'bcod', trained: voteIds(0, VALID), letters: BAD }
    for (const { code } of await expectUnharmed(daemon, client, connection, expected))
      expect(code).toMatch(/^FEEDBACK_/)
  },
  300_000,
)
