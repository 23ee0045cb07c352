import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { liveVersion } from '../../src/adapters/publish.js'
import { AdapterPublisher } from '../../src/daemon/adapter-publisher.js'
import { sampleAdapter, temporaryDirectory } from '../support/checkpoints.js'
import { trainingEvent } from '../support/events.js'
import { SilentTelemetry } from '../support/silent-telemetry.js'

function publisher(keep = 2) {
  const directory = join(temporaryDirectory(), 'adapters')
  const telemetry = new SilentTelemetry()
  const stages: string[] = []
  const clock = { now: 10_000 }
  const made = new AdapterPublisher({
    ...{ directory, keep, telemetry, now: () => clock.now },
    stage: (stage) => stages.push(stage),
  })
  const versions = () => readdirSync(directory).filter((name) => name.startsWith('v'))
  return { publisher: made, directory, telemetry, stages, clock, versions }
}

const snapshot = (step: number) => ({ step, delta: 0.5, adapter: sampleAdapter(step) })
const written = (timestamp: number) => trainingEvent(timestamp, { promptTokens: [1], completionTokens: [2], timestamp })

test('a version is published once and becomes live; the initial adapter never is', async () => {
  const { publisher: made, directory, stages, telemetry } = publisher()
  await made.publish(snapshot(0))
  expect([made.step, made.version]).toEqual([null, null])
  await made.publish(snapshot(3))
  await made.publish(snapshot(3))
  expect([made.step, made.version, liveVersion(directory)]).toEqual([3, 'v00000003', 'v00000003'])
  expect(stages.filter((stage) => stage === 'published')).toHaveLength(1)
  expect(telemetry.names).toEqual(['AdapterPublished'])
})

test('old versions are removed, the newest stay', async () => {
  const { publisher: made, versions } = publisher(2)
  for (const step of [1, 2, 3]) await made.publish(snapshot(step))
  expect(versions().sort()).toEqual(['v00000002', 'v00000003'])
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
  await made.publish({ step: 2, delta: 0, adapter: bad })
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
  expect(telemetry.names).toEqual(['AdapterPublished', 'Failed'])
  expect(await telemetry.metrics.text()).toMatch(/bcod_adapter_publish_total\{outcome="failed"\} 1$/m)
})
