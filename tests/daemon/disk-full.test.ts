import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { smallDisk } from '../checkpoint/small-disk.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { type Broker, startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { byName, eventually, offsetsOf, trainedIds, voteIds, votes } from './feedback.js'

const TOPIC = 'feedback'
const directory = mkdtempSync(join(tmpdir(), 'bcod-full-'))
let broker: Broker
let client: OtherClient

beforeAll(async () => {
  broker = await startBroker()
  client = await OtherClient.connect(broker.bootstrap)
  await client.topic(TOPIC)
})
afterAll(async () => {
  await client?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

test('while the disk is full nothing is committed beyond the last checkpoint, and neither then nor after a kill -9 is a vote lost or doubled', async () => {
  const disk = await smallDisk(16 * 2 ** 20)
  if (disk === null) throw new Error('this test needs a small file system')
  const daemon = await DaemonProcess.create(directory, {
    ...{ 'stream.brokers': [broker.bootstrap], 'stream.topic': TOPIC },
    ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.everySteps': 2, 'checkpoint.every': '300ms' },
    ...{ 'checkpoint.dir': join(disk, 'checkpoints'), 'checkpoint.keep': 1 },
  })
  onTestFinished(() => daemon.kill())
  const ballast = join(disk, 'ballast')
  const fill = () => {
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(ballast, new Uint8Array(bavail * bsize))
  }
  const durable = async () => (await offsetsOf(client, TOPIC)).committed[0]
  const newest = () => daemon.checkpointNames().at(-1)

  daemon.start()
  await client.send(TOPIC, votes(0, 20))
  await daemon.until((status) => settled(status) && status.step >= 5)
  await eventually(async () => (await durable()) === '20')

  // full: training goes on, checkpoints fail
  fill()
  const { step } = (await daemon.status())!
  const last = newest()
  await client.send(TOPIC, votes(20, 40))
  await daemon.until((status) => status.step > step)
  await daemon.says(/"code":"CHECKPOINT_DISK_FULL"/)
  expect(newest()).toBe(last)
  expect(await durable()).toBe('20')
  expect((await daemon.get('/livez'))?.status).toBe(200)

  // space again: the next checkpoint is written without a restart
  rmSync(ballast)
  await eventually(async () => (await durable()) === '60')
  expect(newest()).not.toBe(last)

  // full again, and killed before there is space
  daemon.log = ''
  fill()
  const { step: second } = (await daemon.status())!
  await client.send(TOPIC, votes(60, 40))
  await daemon.until((status) => status.step > second)
  await daemon.says(/"code":"CHECKPOINT_DISK_FULL"/)
  await daemon.kill()
  rmSync(ballast)
  expect(await durable()).toBe('60')
  daemon.start()
  await daemon.until((status) => settled(status) && status.step > second)
  expect(await daemon.stop()).toBe(0)
  const lines = daemon.journal()
  expect(lines.map((line) => line.step)).toEqual(lines.map((_, i) => i + 1))
  expect(trainedIds(lines).sort(byName)).toEqual(voteIds(0, 100))
  expect(await durable()).toBe('100')
})
