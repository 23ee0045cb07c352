import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { OwnBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { eventually, trainedIds, voteIds, votes } from './feedback.js'
import { expectUnharmed } from './oracle.js'

const TOPIC = 'stages'
const kafka = new OwnBroker(TOPIC)

/** Every point between a record and a published adapter, in the order of the way. */
const EVERY_STAGE: readonly (readonly [stage: string, count: number])[] = [
  ['decoded', 3],
  ['stepping', 2],
  ['stepped', 2],
  ['journaled', 2],
  ['checkpoint created', 2],
  ['checkpoint adapter_config.json', 2],
  ['checkpoint adapter_model.safetensors', 2],
  ['checkpoint trainer_state.safetensors', 2],
  ['checkpoint pending.bin', 2],
  ['checkpoint state.json', 2],
  ['checkpoint MANIFEST.json', 2],
  ['checkpoint synced', 2],
  ['checkpoint renamed', 2],
  ['checkpoint durable', 2],
  ['checkpoint retained', 2],
  ['committing', 2],
  ['committed', 2],
  ['version written', 1],
  ['move added written', 1],
  ['move added made', 1],
  ['gate written', 1],
  ['gated', 1],
  ['move published written', 1],
  ['move published made', 1],
  ['live linked', 1],
  ['live moved', 1],
  ['previous linked', 1],
  ['previous moved', 1],
  ['routing written', 1],
  ['states written', 1],
  ['published', 1],
  ['move removed written', 1],
  ['move removed made', 1],
]
/** One of each kind; `make test-faults` dies at every one. */
const ONE_OF_EACH_KIND = [
  'decoded',
  'stepped',
  'journaled',
  'checkpoint pending.bin',
  'checkpoint renamed',
  'committed',
  'gate written',
  'move published made',
  'live linked',
]
const STAGES = thorough ? EVERY_STAGE : EVERY_STAGE.filter(([stage]) => ONE_OF_EACH_KIND.includes(stage))
const PER_LIFE = 9
// a life takes ten seconds
vi.setConfig({ testTimeout: thorough ? 900_000 : 300_000 })

test('killed -9 at each stage in turn, one line trains every vote once and replays to the live adapter', async () => {
  await kafka.client.topic(TOPIC, 2)
  const daemon = await DaemonProcess.create(join(kafka.directory, 'daemon'), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': TOPIC, 'stream.groupId': TOPIC },
    ...{ 'stream.sessionTimeout': '1s', 'batch.size': 4, 'batch.maxLatency': '100ms' },
    ...{ 'checkpoint.everySteps': 1, 'checkpoint.every': '300ms', 'adapters.keep': 2 },
  })
  onTestFinished(() => daemon.kill())
  let sent = 0
  const send = async () => {
    const records = votes(sent, PER_LIFE).map((record, i) => ({ ...record, partition: (sent + i) % 2 }))
    sent += PER_LIFE
    await kafka.client.send(TOPIC, [...records, { key: `bad-${sent}`, value: 'not json', partition: sent % 2 }])
  }
  for (const [stage, count] of STAGES) {
    daemon.startToDieAt(stage, count)
    const ended = daemon.exit()
    // more of them until the stage is reached as often as it takes
    let dead = false
    const settle = () => {
      dead = true
    }
    void ended.then(settle, settle)
    while (!dead) {
      await send()
      for (let i = 0; i < 40 && !dead; i++) await sleep(50)
    }
    expect(await ended, `${stage}\n${daemon.log}`).toEqual({ code: null, signal: 'SIGKILL' })
  }
  daemon.start()
  await daemon.until((status) => settled(status) && status.partitions.length === 2)
  await eventually(() => trainedIds(daemon.journal()).length >= sent)
  await daemon.until(settled)
  await sleep(1_000)
  expect(await daemon.stop()).toBe(0)
  const connection = { brokers: [kafka.broker.bootstrap] }
  const expected = { topic: TOPIC, groupId: TOPIC, trained: voteIds(0, sent), letters: sent / PER_LIFE }
  await expectUnharmed(daemon, kafka.client, connection, expected)
})
