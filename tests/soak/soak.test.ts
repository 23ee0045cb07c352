import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { DaemonStatus } from '../../src/daemon/status.js'
import { seededRandom } from '../../src/model/random.js'
import { eventually, readTopic, trainedIds } from '../daemon/feedback.js'
import { expectUnharmed } from '../daemon/oracle.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { type Broker, startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { expectedOf } from './model.js'
import { PersistentProducer } from './persistent-producer.js'
import { Traffic } from './traffic.js'

/** `make soak MINUTES=30 SEED=7`; a minute, with the same seed each time, is in `make test-faults`. */
const MINUTES = Number(process.env.SOAK_MINUTES || 1)
const SEED = Number(process.env.SOAK_SEED || 1)
const TOPIC = 'soak'
const PARTITIONS = 3
const PROPERTIES = { 'broker.session.timeout.ms': '4000' }

const directory = mkdtempSync(join(tmpdir(), 'bcod-soak-'))
let broker: Broker
let producer: PersistentProducer | null = null
beforeAll(async () => {
  broker = await startBroker({ dir: join(directory, 'kafka'), properties: PROPERTIES })
})
afterAll(async () => {
  await producer?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function daemon(name: string): Promise<DaemonProcess> {
  return DaemonProcess.create(join(directory, name), {
    ...{ 'stream.brokers': [broker.bootstrap], 'stream.topic': TOPIC, 'stream.groupId': TOPIC },
    ...{ 'stream.sessionTimeout': '2s', 'stream.connectTimeout': '60s', 'batch.size': 8, 'batch.maxLatency': '300ms' },
    ...{ 'checkpoint.everySteps': 3, 'checkpoint.every': '500ms', 'checkpoint.keep': 3, 'log.level': 'warn' },
    ...{ 'checkpoint.dir': join(directory, 'checkpoints'), 'adapters.dir': join(directory, 'adapters') },
  })
}

test(
  `${MINUTES} minutes of random votes and random faults with seed ${SEED}: every vote ends as it would without them`,
  async () => {
    console.log(`soak: ${MINUTES} minutes, seed ${SEED}`)
    const random = seededRandom(SEED, 'soak')
    const between = (low: number, high: number) => low + random() * (high - low)
    const port = broker.port
    const client = await OtherClient.connect(broker.bootstrap)
    await client.topic(TOPIC, PARTITIONS)
    await client.topic(`${TOPIC}.dlq`)
    let [active, standby] = [await daemon('one'), await daemon('two')]

    const restarted = async (wait: number) => {
      await broker.kill()
      await sleep(wait)
      broker = await startBroker({ dir: join(directory, 'kafka'), port, properties: PROPERTIES })
    }
    const suspended = async (pid: number, wait: number) => {
      process.kill(pid, 'SIGSTOP')
      await sleep(wait)
      process.kill(pid, 'SIGCONT')
    }
    const counts: Record<string, number> = {}
    /** Two that both find their predecessor gone take the fence one after the other; the first of them has to end. */
    const expectOvertaken = ({ log }: DaemonProcess) => {
      expect(log).toMatch(/"code":"FENCED"/)
      counts.fenced = (counts.fenced ?? 0) + 1
      expect(counts.fenced).toBeLessThanOrEqual(counts['take over'] ?? 0)
    }
    /** Waits as a supervisor does: a daemon that was overtaken is started again. */
    const supervised = async (daemon: DaemonProcess, condition: (status: DaemonStatus) => boolean, limit: number) => {
      await daemon.until(condition, limit).catch(async (error: unknown) => {
        if (!daemon.ended) throw error
        expectOvertaken(daemon)
        daemon.start()
        await daemon.until(condition, limit)
      })
    }
    const faults: Readonly<Record<string, () => Promise<void>>> = {
      'kill -9': async () => {
        await active.kill()
        await sleep(between(0, 1_000))
        active.start()
      },
      stop: async () => {
        const code = await active.stop()
        if (code !== 0) expectOvertaken(active)
        active.start()
      },
      suspend: async () => {
        active.signal('SIGSTOP')
        // also beyond the session: the group then gives the partitions away
        await sleep(between(200, 4_000))
        active.signal('SIGCONT')
      },
      'broker kill -9': () => restarted(between(0, 3_000)),
      'broker suspend': () => suspended(broker.pid, between(200, 4_000)),
      'take over': async () => {
        standby.start()
        await supervised(standby, ({ state }) => state === 'standby' || state === 'running', 90_000)
        await active.kill()
        ;[active, standby] = [standby, active]
      },
    }
    const names = Object.keys(faults)

    const traffic = new Traffic(random, PARTITIONS)
    let sending = true
    const sender = new PersistentProducer(broker.bootstrap)
    producer = sender
    const producing = (async () => {
      while (sending) {
        await sender.send(TOPIC, traffic.next())
        await sleep(between(50, 500))
      }
    })()

    active.start()
    await active.until(({ state }) => state === 'running')
    const end = Date.now() + MINUTES * 60_000
    while (Date.now() < end) {
      const fault = names[Math.floor(random() * names.length)] as string
      counts[fault] = (counts[fault] ?? 0) + 1
      await faults[fault]!()
      await sleep(between(1_000, 6_000))
      await supervised(active, ({ state }) => state !== 'failed', 90_000)
    }
    sending = false
    await producing
    const expected = expectedOf(await readTopic(client, TOPIC, { brokers: [broker.bootstrap] }))
    console.log(`soak: ${JSON.stringify(counts)}; ${traffic.sent} records, ${expected.trained.length} votes to train`)
    // a busy machine may have fallen behind the traffic: it has as long again to catch up
    const limit = MINUTES * 60_000 + 240_000
    await supervised(active, (status) => settled(status) && status.partitions.length === PARTITIONS, limit)
    await eventually(() => trainedIds(active.journal()).length >= expected.trained.length, limit)
    await active.until(settled)
    await sleep(2_000)
    expect(await active.stop()).toBe(0)
    await expectUnharmed(active, client, { brokers: [broker.bootstrap] }, { topic: TOPIC, groupId: TOPIC, ...expected })
    expect(expected.trained.length).toBeGreaterThan(100 * MINUTES)
    await client.close()
  },
  3 * MINUTES * 60_000 + 900_000,
)
