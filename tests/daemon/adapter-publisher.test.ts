import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { AdapterPublisher } from '../../src/daemon/adapter-publisher.js'
import { RegistryWatch } from '../../src/daemon/registry-watch.js'
import { VoteTally } from '../../src/daemon/vote-tally.js'
import { sampleAdapter, temporaryDirectory } from '../support/checkpoints.js'
import { trainingEvent } from '../support/events.js'
import { liveVersion } from '../support/live-version.js'
import { passGate, registryIn } from '../support/registry.js'
import { SilentTelemetry } from '../support/silent-telemetry.js'

function publisher(keep = 2) {
  const directory = join(temporaryDirectory(), 'adapters')
  const telemetry = new SilentTelemetry()
  const stages: string[] = []
  const clock = { now: 10_000 }
  const { registry } = registryIn(directory)
  const frozen: boolean[] = []
  const watch = new RegistryWatch({ registry, telemetry, frozen: (isFrozen) => frozen.push(isFrozen) })
  const made = new AdapterPublisher({
    ...{ registry, watch, keep, telemetry, now: () => clock.now, configSha256: 'c0ffee' },
    tally: new VoteTally(0, journaled),
    stage: (stage) => stages.push(stage),
  })
  const versions = () => readdirSync(directory).filter((name) => name.startsWith('v'))
  return { publisher: made, directory, registry, watch, frozen, telemetry, stages, clock, versions }
}

/** The votes of steps before this process. */
async function* journaled(after: number, upTo: number) {
  for (let step = after + 1; step <= upTo; step++) yield { source: 'journal', label: step % 2 === 0 }
}

const snapshot = (step: number) => ({ step, delta: 0.5, adapter: sampleAdapter(step), checkpoint: `step-${step}` })
const written = (timestamp: number) => trainingEvent(timestamp, { promptTokens: [1], completionTokens: [2], timestamp })

test('a version is published once and becomes live; the initial adapter never is', async () => {
  const { publisher: made, directory, stages, telemetry } = publisher()
  await made.publish(snapshot(0))
  expect([made.step, made.version]).toEqual([null, null])
  await made.publish(snapshot(3))
  await made.publish(snapshot(3))
  expect([made.step, made.version, liveVersion(directory)]).toEqual([3, 'v00000003', 'v00000003'])
  expect(stages.filter((stage) => stage === 'published')).toHaveLength(1)
  expect(telemetry.names).toEqual(['AdapterPublished', 'RegistryObserved'])
})

test('old versions are removed, the newest stay', async () => {
  const { publisher: made, versions } = publisher(2)
  for (const step of [1, 2, 3, 4]) await made.publish(snapshot(step))
  expect(versions().sort()).toEqual(['v00000003', 'v00000004'])
})

test('the time from vote to publication is that of the votes since the last version', async () => {
  const { publisher: made, telemetry, clock } = publisher()
  made.trained([written(4_000), written(9_000)])
  await made.publish(snapshot(1))
  clock.now = 20_000
  made.trained([written(19_000)])
  await made.publish(snapshot(2))
  const text = await telemetry.metrics.text()
  // 6 s, 1 s and 1 s
  expect(text).toMatch(/bcod_feedback_to_publish_seconds_count 3$/m)
  expect(text).toMatch(/bcod_feedback_to_publish_seconds_sum 8$/m)
})

test('an adapter that is not finite is refused, `live` stays, and the next one is published', async () => {
  const { publisher: made, directory, telemetry } = publisher()
  await made.publish(snapshot(1))
  const bad = sampleAdapter(2)
  bad.tensors.values().next().value?.data.fill(Number.NaN)
  await made.publish({ step: 2, delta: 0, adapter: bad, checkpoint: null })
  expect([made.step, liveVersion(directory)]).toEqual([1, 'v00000001'])
  expect(await telemetry.metrics.text()).toMatch(/bcod_adapter_publish_total\{outcome="rejected"\} 1$/m)
  await made.publish(snapshot(3))
  expect(liveVersion(directory)).toBe('v00000003')
})

test('a registry that cannot be written is reported, and the next call tries again', async () => {
  const { publisher: made, directory, telemetry } = publisher()
  writeFileSync(directory, 'in the way')
  await made.publish(snapshot(1))
  expect(made.step).toBeNull()
  // once by the publication and once by the watch
  expect(telemetry.names).toEqual(['AdapterPublished', 'Failed', 'Failed'])
  expect(await telemetry.metrics.text()).toMatch(/bcod_adapter_publish_total\{outcome="failed"\} 1$/m)
})

test('a version says which votes it has learnt from since the one that was live, also past a refused one', async () => {
  const { publisher: made, registry } = publisher()
  const vote = (source: string, label: boolean) =>
    trainingEvent(1, { promptTokens: [1], completionTokens: [2], source, label })
  made.trained([vote('web', true), vote('web', false), vote('app', true)])
  await made.publish(snapshot(1))
  made.trained([vote('web', true)])
  await registry.pin('v00000001')
  await made.publish(snapshot(2))
  made.trained([vote('app', false)])
  await made.publish(snapshot(3))
  expect((await registry.list()).map(({ parent, votes }) => ({ parent, votes }))).toEqual([
    { parent: null, votes: { up: { web: 1, app: 1 }, down: { web: 1 } } },
    { parent: 'v00000001', votes: { up: { web: 1 }, down: {} } },
    { parent: 'v00000001', votes: { up: { web: 1 }, down: { app: 1 } } },
  ])
  expect(await registry.version('v00000003')).toMatchObject({ config_sha256: 'c0ffee', checkpoint: 'step-3' })
})

test('after a rollback to a version of an earlier process the votes come from the journal', async () => {
  const { registry, publisher: made } = publisher(9)
  for (const step of [2, 5]) {
    await registry.add(sampleAdapter(step), { step, delta: 0 })
    await registry.publish(`v0000000${step}`)
  }
  await registry.rollback()
  await made.publish(snapshot(8))
  // steps 3 to 8
  expect(await registry.version('v00000008')).toMatchObject({
    parent: 'v00000002',
    votes: { up: { journal: 3 }, down: { journal: 3 } },
  })
})

test('while the registry is frozen versions are kept and not published; the rollback is counted', async () => {
  const { publisher: made, registry, directory, watch, frozen, telemetry } = publisher(9)
  for (const step of [1, 2]) await made.publish(snapshot(step))
  await registry.rollback()
  await watch.look()
  await made.publish(snapshot(3))
  expect([made.step, made.version, liveVersion(directory)]).toEqual([3, 'v00000002', 'v00000001'])
  expect(frozen.at(-1)).toBe(true)
  await registry.resume()
  await made.publish(snapshot(4))
  expect([frozen.at(-1), liveVersion(directory)]).toEqual([false, 'v00000004'])
  const text = await telemetry.metrics.text()
  expect(text).toMatch(/^bcod_adapter_publish_total\{outcome="held"\} 1$/m)
  expect(text).toMatch(/^bcod_rollbacks_total\{cause="operator"\} 1$/m)
  expect(text).toMatch(/^bcod_adapter_state\{state="rolled_back"\} 1$/m)
  expect(text).toMatch(/^bcod_adapter_version 4$/m)
})

test('moves that others make are seen at the next look, and what they left half done is repaired', async () => {
  const { publisher: made, directory, watch, telemetry } = publisher(9)
  for (const step of [1, 2]) await made.publish(snapshot(step))
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
  const { publisher: made, directory, watch, telemetry } = publisher(9)
  await made.publish(snapshot(1))
  writeFileSync(join(directory, 'moves', '00000003.json'), '{"generation": 3, "ali')
  const seen = telemetry.names.length
  await watch.look()
  await watch.look()
  expect(telemetry.names.slice(seen)).toEqual(['Failed'])
  rmSync(join(directory, 'moves', '00000003.json'))
  await watch.look()
  expect(telemetry.names.slice(seen)).toEqual(['Failed', 'RegistryObserved'])
})
