import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { liveVersion } from '../support/live-version.js'
import { RecordedVllm } from '../support/recorded-vllm.js'
import { TestBroker } from '../support/test-broker.js'
import { cases } from '../support/thorough.js'
import { trainedIds, voteIds, votes } from './feedback.js'

const kafka = new TestBroker('kill-serving')
vi.setConfig({ testTimeout: 600_000 })

/** Where the daemon dies; `done`: what it did is so after that. */
interface Death {
  readonly stage: string
  readonly count: number
  /** One of the servers hangs meanwhile. */
  readonly hangs?: boolean
  readonly done: boolean
}
const LOADED_ON_ONE: Death = { stage: 'server loaded', count: 1, hangs: true, done: false }
const LOADED: Death = { stage: 'server loaded', count: 2, done: false }
// the version that is live is attested once more when the daemon starts
const ATTESTED: Death = { stage: 'server attested', count: 4, done: false }
const movedAs = (cause: string): readonly Death[] => [
  { stage: `move ${cause} written`, count: 1, done: false },
  { stage: `move ${cause} made`, count: 1, done: true },
  { stage: 'live moved', count: 1, done: true },
  { stage: 'states written', count: 1, done: true },
]

const PUBLISH: readonly Death[] = [
  { stage: 'gated', count: 2, done: false },
  ...[LOADED_ON_ONE, LOADED, ATTESTED],
  { stage: 'served', count: 2, done: false },
  ...movedAs('published'),
  // the old one is not yet unloaded
  { stage: 'published', count: 2, done: true },
]

async function serving(topic: string) {
  await kafka.client.topic(topic)
  // no model: it answers within what the learner is told to bear
  const servers = [await RecordedVllm.start(), await RecordedVllm.start()] as const
  const daemon = await DaemonProcess.create(join(kafka.directory, topic), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'stream.sessionTimeout': '6s', 'batch.size': 4, 'batch.maxLatency': '100ms' },
    ...{ 'checkpoint.every': '0', 'checkpoint.everySteps': 1, 'adapters.keep': 8 },
    ...{ 'publish.targets': [{ kind: 'vllm', urls: servers.map(({ url }) => url) }], 'publish.attest': 20 },
    ...{ 'publish.timeout': '2s', 'publish.probeEvery': '1s' },
  })
  onTestFinished(() => daemon.kill())
  let sent = 0
  const vote = async () => {
    await kafka.client.send(topic, votes(sent, 4))
    sent += 4
    return nameOf(sent / 4)
  }
  /** The live version is whole, and every server has it from the registry. */
  const expectServed = (version: string) => {
    expect(liveVersion(daemon.adapters)).toBe(version)
    expect(readAdapter(join(daemon.adapters, version)).tensors.size).toBeGreaterThan(0)
    for (const { adapters } of servers) expect(adapters.get(`bcod-${version}`)).toBe(join(daemon.adapters, version))
  }
  /** Every server has the live version and the one before it, and no other. */
  const expectTidy = async (version: string) => {
    const { aliases } = await new Registry(daemon.adapters, { by: 'test' }).current()
    expect(aliases.live).toBe(version)
    const wanted = [version, aliases.previous].filter((each) => each !== null).map((each) => `bcod-${each}`)
    const loaded = () => servers.map(({ adapters }) => [...adapters.keys()].sort())
    await expect.poll(loaded, { timeout: 60_000 }).toEqual([wanted.sort(), wanted.sort()])
    expectServed(version)
  }
  /** Runs until `act` has brought it to where it dies. */
  const dieAt = async ({ stage, count, hangs }: Death, act: () => Promise<unknown>) => {
    daemon.startToDieAt(stage, count)
    await daemon.until((status) => settled(status))
    if (hangs) servers[1].fault = 'hangs'
    await act()
    expect(await daemon.exit(), `${stage}\n${daemon.log}`).toEqual({ code: null, signal: 'SIGKILL' })
    servers[1].fault = null
  }
  const moves = async (cause: string) =>
    (await new Registry(daemon.adapters, { by: 'test' }).movesAfter(0)).filter((move) => move.cause === cause)
  const live = (version: string) => daemon.until((status) => settled(status) && status.adapters?.live === version)
  const sentIds = () => voteIds(0, sent)
  return { daemon, servers, vote, expectServed, expectTidy, dieAt, moves, live, sentIds }
}

const nameOf = (step: number) => `v${String(step).padStart(8, '0')}`

test('killed -9 while it publishes, one version is served everywhere, and the next process publishes the other once', async () => {
  const { daemon, vote, expectServed, expectTidy, dieAt, moves, live, sentIds } = await serving('publish')
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  let before = await vote()
  await live(before)
  expect(await daemon.stop()).toBe(0)
  for (const death of cases(PUBLISH, [LOADED_ON_ONE, PUBLISH.at(-1) as Death])) {
    let next = before
    await dieAt(death, async () => {
      next = await vote()
    })
    // the link follows the move at the next start, and both are served
    if (!death.stage.startsWith('move')) expectServed(death.done ? next : before)
    daemon.start()
    await live(next)
    await expectTidy(next)
    expect(await daemon.stop()).toBe(0)
    before = next
  }
  const versions = (await moves('published')).map(({ aliases }) => aliases.live)
  expect(versions).toEqual(
    sentIds()
      .filter((_, i) => i % 4 === 0)
      .map((_, i) => nameOf(i + 1)),
  )
  expect([...trainedIds(daemon.journal())].sort()).toEqual([...sentIds()].sort())
})
