import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AdapterPublisher, type AdapterPublisherParts } from '../../../src/daemon/adapters/adapter-publisher.js'
import { RegistryWatch } from '../../../src/daemon/adapters/registry-watch.js'
import { VoteTally } from '../../../src/daemon/adapters/vote-tally.js'
import { BcodError } from '../../../src/errors.js'
import { sampleAdapter, temporaryDirectory } from '../../support/checkpoints.js'
import { trainingEvent } from '../../support/events.js'
import { liveVersion } from '../../support/live-version.js'
import { passGate, registryIn } from '../../support/registry.js'
import { SilentTelemetry } from '../../support/silent-telemetry.js'

/** Passes every version, until a test says otherwise. */
class Gate {
  readonly asked: string[] = []
  answer: (version: string, signal: AbortSignal) => Promise<boolean> = async () => true

  passes({ version }: { readonly version: string }, signal: AbortSignal): Promise<boolean> {
    this.asked.push(version)
    return this.answer(version, signal)
  }
}

function publisher(keep = 2, { mode = 'auto', servers = null, canaryShare = 0 }: Partial<AdapterPublisherParts> = {}) {
  const directory = join(temporaryDirectory(), 'adapters')
  const telemetry = new SilentTelemetry()
  const stages: string[] = []
  const clock = { now: 10_000 }
  const { registry } = registryIn(directory)
  const frozen: boolean[] = []
  const watch = new RegistryWatch({
    registry,
    telemetry,
    checkpoints: 'none',
    frozen: (isFrozen) => frozen.push(isFrozen),
  })
  const gate = new Gate()
  const parts = new AdapterPublisher({
    ...{
      registry,
      watch,
      gate,
      keep,
      telemetry,
      now: () => clock.now,
      guarded: () => false,
      configSha256: 'c0ffee',
      mode,
      servers,
    },
    canaryShare,
    tally: new VoteTally(0, journaled),
    stage: (stage) => stages.push(stage),
  })
  /** Publishes, and waits for the gate. */
  const publish = async (...args: Parameters<AdapterPublisher['publish']>) => {
    await parts.publish(...args)
    await parts.settled()
  }
  const versions = () => readdirSync(directory).filter((name) => name.startsWith('v'))
  return { publisher: parts, publish, gate, directory, registry, watch, frozen, telemetry, stages, clock, versions }
}

/** The votes of steps before this process. */
async function* journaled(after: number, upTo: number) {
  for (let step = after + 1; step <= upTo; step++) yield { source: 'journal', label: step % 2 === 0 }
}

const snapshot = (step: number) => ({ step, delta: 0.5, adapter: sampleAdapter(step), checkpoint: `step-${step}` })
const written = (timestamp: number) => trainingEvent(timestamp, { promptTokens: [1], completionTokens: [2], timestamp })

test('a version is published once and becomes live; the initial adapter never is', async () => {
  const { publisher: made, publish, directory, stages, telemetry } = publisher()
  await publish(snapshot(0))
  expect([made.step, made.version]).toEqual([null, null])
  await publish(snapshot(3))
  await publish(snapshot(3))
  expect([made.step, made.version, liveVersion(directory)]).toEqual([3, 'v00000003', 'v00000003'])
  expect(stages.filter((stage) => stage === 'published')).toHaveLength(1)
  expect(telemetry.names.filter((name) => name === 'AdapterPublished')).toHaveLength(1)
})

test('old versions are removed, the newest stay', async () => {
  const { publish, versions } = publisher(2)
  for (const step of [1, 2, 3, 4]) await publish(snapshot(step))
  expect(versions().sort()).toEqual(['v00000003', 'v00000004'])
})

test('the time from vote to publication is that of the votes since the last version', async () => {
  const { publisher: made, publish, telemetry, clock } = publisher()
  made.trained([written(4_000), written(9_000)])
  await publish(snapshot(1))
  clock.now = 20_000
  made.trained([written(19_000)])
  await publish(snapshot(2))
  const text = await telemetry.metrics.text()
  // 6 s, 1 s and 1 s
  expect(text).toMatch(/bcod_feedback_to_publish_seconds_count 3$/m)
  expect(text).toMatch(/bcod_feedback_to_publish_seconds_sum 8$/m)
})

test('an adapter that is not finite is refused, `live` stays, and the next one is published', async () => {
  const { publisher: made, publish, directory, telemetry } = publisher()
  await publish(snapshot(1))
  const bad = sampleAdapter(2)
  bad.tensors.values().next().value?.data.fill(Number.NaN)
  await publish({ step: 2, delta: 0, adapter: bad, checkpoint: null })
  expect([made.step, liveVersion(directory)]).toEqual([1, 'v00000001'])
  expect(await telemetry.metrics.text()).toMatch(/bcod_adapter_publish_total\{outcome="rejected"\} 1$/m)
  await publish(snapshot(3))
  expect(liveVersion(directory)).toBe('v00000003')
})

test('a registry that cannot be written is reported, and the next call tries again', async () => {
  const { publisher: made, publish, directory, telemetry } = publisher()
  writeFileSync(directory, 'in the way')
  await publish(snapshot(1))
  expect(made.step).toBeNull()
  // once by the publication and once by the watch
  expect(telemetry.names).toEqual(['AdapterPublished', 'Failed', 'Failed'])
  expect(await telemetry.metrics.text()).toMatch(/bcod_adapter_publish_total\{outcome="failed"\} 1$/m)
})

test('a version says which votes it has learnt from since the one that was live, also past a refused one', async () => {
  const { publisher: made, publish, registry } = publisher()
  const vote = (source: string, label: boolean) =>
    trainingEvent(1, { promptTokens: [1], completionTokens: [2], source, label })
  made.trained([vote('web', true), vote('web', false), vote('app', true)])
  await publish(snapshot(1))
  made.trained([vote('web', true)])
  await registry.pin('v00000001')
  await publish(snapshot(2))
  made.trained([vote('app', false)])
  await publish(snapshot(3))
  expect((await registry.list()).map(({ parent, votes }) => ({ parent, votes }))).toEqual([
    { parent: null, votes: { up: { web: 1, app: 1 }, down: { web: 1 } } },
    { parent: 'v00000001', votes: { up: { web: 1 }, down: {} } },
    { parent: 'v00000001', votes: { up: { web: 1 }, down: { app: 1 } } },
  ])
  expect(await registry.version('v00000003')).toMatchObject({ config_sha256: 'c0ffee', checkpoint: 'step-3' })
})

test('after a rollback to a version of an earlier process the votes come from the journal', async () => {
  const { registry, publish } = publisher(9)
  for (const step of [2, 5]) {
    await registry.add(sampleAdapter(step), { step, delta: 0 })
    await registry.publish(`v0000000${step}`)
  }
  await registry.rollback()
  await publish(snapshot(8))
  // steps 3 to 8
  expect(await registry.version('v00000008')).toMatchObject({
    parent: 'v00000002',
    votes: { up: { journal: 3 }, down: { journal: 3 } },
  })
})

test('while the registry is frozen versions are kept and not published; the rollback is counted', async () => {
  const { publisher: made, publish, registry, directory, watch, frozen, telemetry } = publisher(9)
  for (const step of [1, 2]) await publish(snapshot(step))
  await registry.rollback()
  await watch.look()
  await publish(snapshot(3))
  expect([made.step, made.version, liveVersion(directory)]).toEqual([3, 'v00000002', 'v00000001'])
  expect(frozen.at(-1)).toBe(true)
  await registry.resume()
  await publish(snapshot(4))
  expect([frozen.at(-1), liveVersion(directory)]).toEqual([false, 'v00000004'])
  const text = await telemetry.metrics.text()
  expect(text).toMatch(/^bcod_adapter_publish_total\{outcome="held"\} 1$/m)
  expect(text).toMatch(/^bcod_rollbacks_total\{cause="operator"\} 1$/m)
  expect(text).toMatch(/^bcod_adapter_state\{state="rolled_back"\} 1$/m)
  expect(text).toMatch(/^bcod_adapter_version 4$/m)
})

test('moves that others make are seen at the next look, and what they left half done is repaired', async () => {
  const { publish, directory, watch, telemetry } = publisher(9)
  for (const step of [1, 2]) await publish(snapshot(step))
  const { registry: killed } = registryIn(directory, {
    by: 'cli',
    onStage: (stage) => {
      if (stage === 'move promoted made') throw new Error('killed')
    },
  })
  await passGate(killed, 'v00000001')
  await expect(killed.promote('v00000001')).rejects.toThrow('killed')
  expect(liveVersion(directory)).toBe('v00000002')
  await watch.look()
  expect(liveVersion(directory)).toBe('v00000001')
  expect(watch.state).toMatchObject({ by: 'cli', cause: 'promoted', aliases: { live: 'v00000001' } })
  const seen = telemetry.names.length
  await watch.look()
  expect(telemetry.names).toHaveLength(seen)
})

test('a registry whose log is damaged is told of once, until it is mended', async () => {
  const { publish, directory, watch, telemetry } = publisher(9)
  await publish(snapshot(1))
  writeFileSync(join(directory, 'moves', '00000003.json'), '{"generation": 3, "ali')
  const seen = telemetry.names.length
  await watch.look()
  await watch.look()
  expect(telemetry.names.slice(seen)).toEqual(['Failed'])
  rmSync(join(directory, 'moves', '00000003.json'))
  await watch.look()
  expect(telemetry.names.slice(seen)).toEqual(['Failed', 'RegistryObserved'])
})

test('a version that the gate does not pass is marked, and `live` stays', async () => {
  const { publish, gate, registry, directory, telemetry, stages } = publisher(9)
  await publish(snapshot(1))
  gate.answer = async () => false
  await publish(snapshot(2))
  expect(liveVersion(directory)).toBe('v00000001')
  expect(await registry.version('v00000002')).toMatchObject({ state: 'refused' })
  expect(await telemetry.metrics.text()).toMatch(/bcod_adapter_publish_total\{outcome="rejected"\} 1$/m)
  gate.answer = async () => true
  await publish(snapshot(3))
  expect(await registry.version('v00000003')).toMatchObject({ state: 'live', parent: 'v00000001' })
  expect(stages.filter((stage) => stage === 'gated')).toHaveLength(3)
})

test('checkpoints do not wait for the gate; of the candidates that come meanwhile the newest is judged', async () => {
  const { publisher: made, gate, registry, directory } = publisher(9)
  let pass: (passed: boolean) => void = () => undefined
  gate.answer = () => new Promise((resolve) => (pass = resolve))
  for (const step of [1, 2, 3]) await made.publish(snapshot(step))
  expect([made.step, gate.asked, liveVersion(directory)]).toEqual([3, ['v00000001'], null])
  gate.answer = async () => true
  pass(true)
  await made.settled()
  expect([gate.asked, liveVersion(directory)]).toEqual([['v00000001', 'v00000003'], 'v00000003'])
  expect(await registry.version('v00000002')).toMatchObject({ state: 'candidate' })
})

test('the age of votes counts when the version that has them passes', async () => {
  const { publisher: made, publish, gate, telemetry, clock } = publisher(9)
  gate.answer = async () => false
  made.trained([written(4_000)])
  await publish(snapshot(1))
  made.trained([written(9_000)])
  gate.answer = async () => {
    // trains while the gate is at work: of the next version
    made.trained([written(1)])
    return true
  }
  await publish(snapshot(2))
  const text = await telemetry.metrics.text()
  expect(clock.now).toBe(10_000)
  expect(text).toMatch(/bcod_feedback_to_publish_seconds_count 2$/m)
  expect(text).toMatch(/bcod_feedback_to_publish_seconds_sum 7$/m)
})

test('a gate that is stopped leaves the candidate to the next process', async () => {
  const { publisher: made, gate, registry, telemetry } = publisher(9)
  gate.answer = (_, signal) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  await made.publish(snapshot(1))
  made.stop()
  await made.settled()
  expect(await registry.version('v00000001')).toMatchObject({ state: 'candidate', gate: null })
  expect(telemetry.names).not.toContain('Failed')
  // what is added now waits as well
  await made.publish(snapshot(2))
  await made.settled()
  expect(gate.asked).toEqual(['v00000001'])
})

test('a version that passed and could not be moved is tried again at the next checkpoint', async () => {
  const { publisher: made, publish, gate, directory } = publisher(9)
  gate.answer = async () => {
    rmSync(directory, { recursive: true })
    writeFileSync(directory, 'in the way')
    return true
  }
  await publish(snapshot(1))
  expect(made.step).toBeNull()
  rmSync(directory)
  gate.answer = async () => true
  await publish(snapshot(1))
  expect([made.step, liveVersion(directory)]).toEqual([1, 'v00000001'])
})

/** Servers that take every version, or fail. */
function fakeServers(failure: { code: 'SERVING_REFUSED' | null } = { code: null }, loaded: readonly string[] = []) {
  const published: string[] = []
  const withdrawn: string[] = []
  const publish = async (version: string) => {
    if (failure.code !== null) throw new BcodError(failure.code, 'status 500')
    published.push(version)
  }
  const withdraw = async (version: string) => void withdrawn.push(version)
  return { published, withdrawn, failure, servers: { publish, withdraw, loaded } }
}

test('a version goes to the servers before it is live, and stays a candidate if one of them fails', async () => {
  const { servers, published, failure } = fakeServers({ code: 'SERVING_REFUSED' })
  const { publisher: made, publish, directory, registry, stages, telemetry } = publisher(9, { servers })
  await publish(snapshot(1))
  expect([made.step, liveVersion(directory)]).toEqual([null, null])
  expect(await registry.version('v00000001')).toMatchObject({ state: 'candidate' })
  expect(telemetry.names).toEqual(expect.arrayContaining(['AdapterPublished', 'Failed']))
  failure.code = null
  await publish(snapshot(1))
  expect([published, liveVersion(directory)]).toEqual([['v00000001'], 'v00000001'])
  expect(stages).toEqual(['gated', 'gated', 'served', 'published'])
})

test.each([0, 0.2])(
  'a version that is overtaken while servers load it is withdrawn (canary.share=%s)',
  async (canaryShare) => {
    const { servers, withdrawn } = fakeServers()
    let overtake: (() => Promise<unknown>) | null = null
    const publish = async (version: string) => {
      await servers.publish(version)
      await overtake?.()
    }
    const made = publisher(9, { servers: { ...servers, publish }, canaryShare })
    await made.publish(snapshot(1))
    expect(withdrawn).toEqual([])
    overtake = () => made.registry.pin('v00000001')
    await made.publish(snapshot(2))
    expect([withdrawn, liveVersion(made.directory)]).toEqual([['v00000002'], 'v00000001'])
  },
)

test('what must wait is not loaded by servers: a frozen registry, publish.mode=manual', async () => {
  const { servers, published } = fakeServers()
  const { publish, registry } = publisher(9, { servers })
  for (const step of [1, 2]) await publish(snapshot(step))
  await registry.rollback()
  await publish(snapshot(3))
  expect(published).toEqual(['v00000001', 'v00000002'])
  const manual = fakeServers()
  const waiting = publisher(9, { servers: manual.servers, mode: 'manual' })
  await waiting.publish(snapshot(1))
  expect([manual.published, liveVersion(waiting.directory), waiting.publisher.step]).toEqual([[], null, 1])
  expect((await waiting.registry.current()).aliases.candidate).toBe('v00000001')
})

test('a version that a server has loaded keeps its files', async () => {
  const { servers } = fakeServers({ code: null }, ['v00000001'])
  const { publish, versions } = publisher(1, { servers })
  for (const step of [1, 2, 3, 4]) await publish(snapshot(step))
  expect(versions().sort()).toEqual(['v00000001', 'v00000003', 'v00000004'])
})
