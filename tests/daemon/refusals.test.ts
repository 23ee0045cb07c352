import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { journalPath } from '../../src/checkpoint/journal.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { ERRORS, type ErrorCode } from '../../src/errors.js'
import { takeDirectory } from '../../src/files/own-directory.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { type Broker, startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { thorough } from '../support/thorough.js'
import { byName, eventually, offsetsOf, trainedIds, voteIds, votes } from './feedback.js'
import { replayLineage } from './oracle.js'

const TOPIC = 'feedback'
const VOTES = 24

const directory = mkdtempSync(join(tmpdir(), 'bcod-refusals-'))
let broker: Broker
let client: OtherClient
/** Has trained all votes of the topic and was stopped. Each test goes on with a copy of what it left. */
let base: DaemonProcess

beforeAll(async () => {
  broker = await startBroker()
  client = await OtherClient.connect(broker.bootstrap)
  await client.topic(TOPIC)
  await client.send(TOPIC, votes(0, VOTES))
  base = await daemonIn('base')
  base.start()
  await base.until((status) => settled(status) && status.step === VOTES / 4)
  await base.stop()
})
afterAll(async () => {
  await client?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

const daemonIn = (name: string, settings: Readonly<Record<string, unknown>> = {}) =>
  DaemonProcess.create(join(directory, name), {
    ...{ 'stream.brokers': [broker.bootstrap], 'stream.topic': TOPIC, 'stream.groupId': TOPIC },
    ...{ 'batch.size': 4, 'batch.stratify': false, 'batch.maxLatency': '300ms' },
    ...{ 'checkpoint.everySteps': 3, 'checkpoint.every': 0 },
    ...settings,
  })

async function copyOfBase(name: string, settings: Readonly<Record<string, unknown>> = {}): Promise<DaemonProcess> {
  const daemon = await daemonIn(name, settings)
  onTestFinished(() => daemon.kill())
  cpSync(base.checkpoints, daemon.checkpoints, { recursive: true })
  return daemon
}

/** What a refusal must leave as it is. */
const stateOf = async (daemon: DaemonProcess) => {
  const path = journalPath(daemon.checkpoints)
  const journal = existsSync(path) ? readFileSync(path, 'utf8') : ''
  return [daemon.checkpointNames(), journal, await client.committed(TOPIC, TOPIC)]
}

/** Starts it, and sees it refuse with the code and the remedy, having written and committed nothing. */
async function expectRefusal(daemon: DaemonProcess, code: ErrorCode, message: RegExp): Promise<void> {
  const before = await stateOf(daemon)
  daemon.start()
  expect(await daemon.exit(), daemon.log).toEqual({ code: 1, signal: null })
  const said = daemon.log.trimEnd().split('\n').slice(-2)
  expect(said[0]).toMatch(new RegExp(`^${code} `))
  expect(said[0]).toMatch(message)
  expect(said[1]).toBe(`  -> ${ERRORS[code].remedy}`)
  expect(await stateOf(daemon)).toEqual(before)
}

/** Starts it with flags, lets it train what it finds, and stops it. */
async function goOn(daemon: DaemonProcess, ...flags: string[]): Promise<void> {
  daemon.start(...flags)
  await daemon.until(settled)
  expect(await daemon.stop()).toBe(0)
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = bytes[at]! ^ 1
  writeFileSync(path, bytes)
}

test.runIf(thorough)(
  'with group offsets and no checkpoint it refuses, and with --start earliest it trains everything again',
  async () => {
    const daemon = await daemonIn('missing')
    onTestFinished(() => daemon.kill())
    await expectRefusal(daemon, 'CHECKPOINT_MISSING', /feedback/)
    await goOn(daemon, '--start', 'earliest')
    expect(trainedIds(daemon.journal())).toEqual(voteIds(0, VOTES))
  },
)

test.runIf(thorough)('with a model of which one weight is another it refuses', async () => {
  const model = join(directory, 'model')
  cpSync('tests/golden/tiny_llama', model, { recursive: true })
  const weights = join(model, 'model.safetensors')
  flipByte(weights, readFileSync(weights).length - 2)
  const daemon = await copyOfBase('model-mismatch', { 'model.path': model })
  await expectRefusal(
    daemon,
    'CHECKPOINT_MODEL_MISMATCH',
    /its base has hash [0-9a-f]{12}, the model at hand [0-9a-f]{12}/,
  )
})

test('with a damaged checkpoint it refuses, and with --accept-older it trains again what came after the one before', async () => {
  const daemon = await copyOfBase('damaged')
  const newest = daemon.checkpointNames().at(-1)!
  expect(newest).toContain('step-00000006')
  flipByte(join(daemon.checkpoints, newest, 'adapter_model.safetensors'), 2000)
  await expectRefusal(daemon, 'CHECKPOINT_DAMAGED', new RegExp(`${newest}/adapter_model\\.safetensors`))
  await goOn(daemon, '--accept-older')
  expect(daemon.journal().map(({ adapter_sha256 }) => adapter_sha256)).toEqual(
    base.journal().map(({ adapter_sha256 }) => adapter_sha256),
  )
  expect(trainedIds(daemon.journal())).toEqual(voteIds(0, VOTES))
  await goOn(daemon)
})

const newestFile = (daemon: DaemonProcess, file: string) =>
  join(daemon.checkpoints, daemon.checkpointNames().at(-1)!, file)

test.each<[string, (daemon: DaemonProcess) => void, ErrorCode, RegExp]>([
  [
    'whose file was cut short',
    (daemon) => truncateSync(newestFile(daemon, 'trainer_state.safetensors'), 100),
    'CHECKPOINT_DAMAGED',
    /trainer_state\.safetensors/,
  ],
  ['that lacks a file', (daemon) => rmSync(newestFile(daemon, 'pending.bin')), 'CHECKPOINT_DAMAGED', /pending\.bin/],
  [
    'without its manifest',
    (daemon) => rmSync(newestFile(daemon, 'MANIFEST.json')),
    'CHECKPOINT_DAMAGED',
    /MANIFEST\.json/,
  ],
  [
    'that knows more of the journal than there is',
    (daemon) => truncateSync(journalPath(daemon.checkpoints), 500),
    'JOURNAL_SHORT',
    /the checkpoint knows \d+ bytes, the file has 500/,
  ],
  [
    'that knows another journal',
    (daemon) => flipByte(journalPath(daemon.checkpoints), 40),
    'JOURNAL_MISMATCH',
    /journal\.jsonl/,
  ],
])('with a checkpoint %s it refuses', async (name, spoil, code, message) => {
  const daemon = await copyOfBase(name.replaceAll(' ', '-'))
  spoil(daemon)
  await expectRefusal(daemon, code, message)
})

test.runIf(thorough)(
  'a journal that is longer than the checkpoint knows, and what a killed writer left half written, are set aside',
  async () => {
    const daemon = await copyOfBase('tail')
    appendFileSync(journalPath(daemon.checkpoints), '{"step":7,"events":[')
    const halfWritten = join(takeDirectory(daemon.checkpoints, { mode: 0o700 }), 'step-00000007-1')
    cpSync(join(daemon.checkpoints, daemon.checkpointNames().at(-1)!), halfWritten, { recursive: true })
    await goOn(daemon)
    expect(daemon.journal()).toEqual(base.journal())
    expect(readFileSync(join(daemon.checkpoints, 'journal.tail-1.jsonl'), 'utf8')).toBe('{"step":7,"events":[')
    expect(replayLineage(daemon).adapter_sha256).toBe(base.journal().at(-1)!.adapter_sha256)
  },
)

test.runIf(thorough)('on another cluster or topic it refuses', async () => {
  const moved = await copyOfBase('cluster')
  const store = new CheckpointStore(moved.checkpoints)
  const { snapshot, ref } = (await store.latest())!
  const fence = takeFence(moved.checkpoints)
  await store.write({ ...snapshot, clusterId: 'another', revision: snapshot.revision + 1, parent: ref, fence })
  await expectRefusal(moved, 'CLUSTER_CHANGED', /made on topic feedback of cluster another, this is feedback of/)

  await client.topic('other')
  const renamed = await copyOfBase('renamed', { 'stream.topic': 'other' })
  await expectRefusal(renamed, 'CLUSTER_CHANGED', /made on topic feedback of .*, this is other of/)
})

test('behind a gap that retention left it refuses, and with --accept-gap it goes on after it', async () => {
  await client.send(TOPIC, votes(VOTES, 6))
  await client.admin.deleteTopicRecords({ topic: TOPIC, partitions: [{ partition: 0, offset: String(VOTES + 2) }] })
  const daemon = await copyOfBase('gap')
  await expectRefusal(daemon, 'POSITION_EXPIRED', /feedback-0: .*read to offset 24, the log now starts at 26/)
  await goOn(daemon, '--accept-gap')
  const all = [...voteIds(0, VOTES), ...voteIds(VOTES + 2, 4)]
  expect(trainedIds(daemon.journal()).sort(byName)).toEqual(all)
  const { end, committed } = await offsetsOf(client, TOPIC, TOPIC)
  expect(committed).toEqual(end)
})

// the last one: it takes the topic away
test.runIf(thorough)(
  'on a topic that was recreated it refuses, whether it is shorter or as long',
  { timeout: 90_000 },
  async () => {
    await client.admin.deleteTopics({ topics: [TOPIC] })
    await eventually(async () => !(await client.admin.listTopics()).includes(TOPIC))
    await client.topic(TOPIC)
    await client.send(TOPIC, votes(1000, 4))
    const daemon = await copyOfBase('recreated')
    await expectRefusal(daemon, 'POSITION_BEYOND_END', /feedback-0: .*read to offset 24, the log ends at 4/)
    await client.send(TOPIC, votes(1004, VOTES))
    await expectRefusal(daemon, 'TOPIC_RECREATED', /feedback-0: the record at offset 23 is not the one that was read/)
  },
)
