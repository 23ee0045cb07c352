import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { eventually, trainedIds, voteIds, votes } from '../daemon/feedback.js'
import { expectUnharmed } from '../daemon/oracle.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-outage-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

test.each([10, 35])(
  'killed -9 and back after %i s, the broker finds the daemon alive, and it goes on without loss',
  async (seconds) => {
    const dir = join(directory, `kafka-${seconds}`)
    const properties = { 'broker.session.timeout.ms': '4000' }
    let broker = await startBroker({ dir, properties })
    onTestFinished(() => broker.stop())
    let client = await OtherClient.connect(broker.bootstrap)
    const topic = `outage-${seconds}`
    await client.topic(topic, 2)
    const daemon = await DaemonProcess.create(join(directory, topic), {
      ...{ 'stream.brokers': [broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
      ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.everySteps': 1, 'checkpoint.every': '500ms' },
    })
    onTestFinished(() => daemon.kill())
    daemon.start()
    const spread = (from: number, count: number) =>
      votes(from, count).map((record, i) => ({ ...record, partition: i % 2 }))
    await client.send(topic, [...spread(0, 40), { key: 'bad', value: 'not json', partition: 0 }])
    await daemon.until(({ step }) => step >= 3)
    await client.send(topic, spread(40, 40))
    await broker.kill()
    for (let i = 0; i < seconds; i++) {
      await sleep(1_000)
      expect((await daemon.get('/livez'))?.status).toBe(200)
    }
    broker = await startBroker({ dir, port: broker.port, properties })
    client = await OtherClient.connect(broker.bootstrap)
    await client.send(topic, spread(80, 40))
    await eventually(() => trainedIds(daemon.journal()).length >= 120, 90_000)
    await daemon.until((status) => settled(status) && status.partitions.length === 2, 60_000)
    await sleep(1_500)
    expect(await daemon.stop()).toBe(0)
    const expected = { topic, groupId: topic, trained: voteIds(0, 120), letters: 1 }
    await expectUnharmed(daemon, client, { brokers: [broker.bootstrap] }, expected)
    await client.close()
  },
  240_000,
)
