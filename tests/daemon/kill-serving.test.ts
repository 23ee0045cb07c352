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
const TOKEN = 'open sesame to me'
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
const movedAs = (cause: string, ...then: readonly string[]): readonly Death[] => [
  { stage: `move ${cause} written`, count: 1, done: false },
  ...[`move ${cause} made`, 'live linked', 'live moved', ...then, 'states written'].map((stage) => ({
    ...{ stage, count: 1, done: true },
  })),
]

const PUBLISH: readonly Death[] = [
  { stage: 'gated', count: 2, done: false },
  ...[LOADED_ON_ONE, LOADED, ATTESTED],
  { stage: 'served', count: 2, done: false },
  ...movedAs('published'),
  // the old one is not yet unloaded
  { stage: 'published', count: 2, done: true },
]
// a version that was not the newest is not attested when the daemon starts
const PROMOTE: readonly Death[] = [
  ...[LOADED_ON_ONE, LOADED, { ...ATTESTED, count: 2 }],
  ...movedAs('promoted', 'previous linked', 'previous moved', 'routing written'),
]
// it does not wait for an attestation that takes long
const ROLLBACK: readonly Death[] = [...[LOADED_ON_ONE, LOADED], ...movedAs('rolled back', 'routing written')]
/** The link follows the move, at the latest at the next start. */
const isFollowed = ({ stage }: Death) => !stage.startsWith('move') && stage !== 'live linked'
const ofStage = (deaths: readonly Death[], stage: string) => deaths.filter((death) => death.stage === stage)

async function serving(topic: string) {
  await kafka.client.topic(topic)
  // no model: it answers within what the learner is told to bear
  const servers = [await RecordedVllm.start(), await RecordedVllm.start()] as const
  const daemon = await DaemonProcess.create(join(kafka.directory, topic), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'batch.size': 4, 'batch.maxLatency': '100ms' },
    ...{ 'checkpoint.every': '0', 'checkpoint.everySteps': 1, 'adapters.keep': 8 },
    ...{ 'publish.targets': [{ kind: 'vllm', urls: servers.map(({ url }) => url) }], 'publish.attest': 20 },
    ...{ 'publish.timeout': '2s', 'publish.probeEvery': '1s' },
  })
  daemon.environment = { BCOD_SERVER_ADMIN_TOKEN: TOKEN }
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
  /** As an operator asks; null if there is no answer. */
  const ask = (verb: string, body: object): Promise<Response | null> =>
    fetch(`http://127.0.0.1:${daemon.port}/v1/admin/adapters/${verb}`, {
      ...{ method: 'POST', headers: { authorization: `Bearer ${TOKEN}` }, body: JSON.stringify(body) },
    }).catch(() => null)
  const moves = async (cause: string) =>
    (await new Registry(daemon.adapters, { by: 'test' }).movesAfter(0)).filter((move) => move.cause === cause)
  const live = (version: string) => daemon.until((status) => settled(status) && status.adapters?.live === version)
  const sentIds = () => voteIds(0, sent)
  return { daemon, servers, vote, expectServed, expectTidy, dieAt, ask, moves, live, sentIds }
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
    if (isFollowed(death)) expectServed(death.done ? next : before)
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

/** Four versions, each of which has been live; the third is so again, and servers have the fourth beside it. */
async function fourLive(topic: string) {
  const place = await serving(topic)
  const { daemon, vote, live, expectTidy, ask } = place
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  for (let i = 0; i < 4; i++) await live(await vote())
  expect((await ask('promote', { version: 'v00000003', force: true }))?.status).toBe(200)
  await expectTidy('v00000003')
  expect(await daemon.stop()).toBe(0)
  return place
}

test('killed -9 while somebody promotes, one version is served everywhere, and what was not done can be asked for again', async () => {
  const { daemon, expectServed, expectTidy, dieAt, ask, moves, live } = await fourLive('promote')
  const promoted = ['v00000003']
  for (const [i, death] of cases(PROMOTE, ofStage(PROMOTE, 'move promoted made')).entries()) {
    // not one of the two that servers have
    const [now, next] = [promoted.at(-1) as string, nameOf(1 + (i % 3))]
    const promote = () => ask('promote', { version: next, force: true })
    await dieAt(death, promote)
    if (isFollowed(death)) expectServed(death.done ? next : now)
    daemon.start()
    await live(death.done ? next : now)
    await expectTidy(death.done ? next : now)
    if (!death.done) expect((await promote())?.status).toBe(200)
    await expectTidy(next)
    expect(await daemon.stop()).toBe(0)
    promoted.push(next)
  }
  expect((await moves('promoted')).map(({ aliases }) => aliases.live)).toEqual(promoted)
  expect(await moves('published')).toHaveLength(4)
})

test('killed -9 while somebody rolls back, all of it holds or nothing, and what was not done can be asked for again', async () => {
  const { daemon, expectServed, expectTidy, dieAt, ask, moves, live } = await fourLive('roll-back')
  const now = 'v00000003'
  const targets: string[] = []
  for (const [i, death] of cases(ROLLBACK, [LOADED_ON_ONE]).entries()) {
    const target = nameOf(2 - (i % 2))
    const rollback = () => ask('rollback', { to: target })
    await dieAt(death, rollback)
    if (isFollowed(death)) expectServed(death.done ? target : now)
    daemon.start()
    await live(death.done ? target : now)
    await expectTidy(death.done ? target : now)
    if (!death.done) expect((await rollback())?.status).toBe(200)
    expect(await daemon.status()).toMatchObject({ training_paused: true, adapters: { live: target, frozen: true } })
    await expectTidy(target)
    targets.push(target)
    expect((await ask('resume', { keep: true }))?.status).toBe(200)
    expect((await ask('promote', { version: now, force: true }))?.status).toBe(200)
    await expectTidy(now)
    expect(await daemon.stop()).toBe(0)
  }
  expect((await moves('rolled back')).map(({ aliases }) => aliases.live)).toEqual(targets)
  expect(await moves('published')).toHaveLength(4)
})
