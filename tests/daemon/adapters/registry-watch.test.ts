import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { takeFence } from '../../../src/checkpoint/fence.js'
import { CheckpointStore } from '../../../src/checkpoint/store.js'
import { RegistryWatch } from '../../../src/daemon/adapters/registry-watch.js'
import { sampleSnapshot, temporaryDirectory } from '../../support/checkpoints.js'
import { addLive, registryIn } from '../../support/registry.js'
import { SilentTelemetry } from '../../support/silent-telemetry.js'

test('each look finds from which of live and previous learning could go on, also if nothing has moved', async () => {
  const { registry } = registryIn()
  for (const step of [1, 2, 3]) await addLive(registry, step)
  const checkpoints = temporaryDirectory()
  takeFence(checkpoints)
  const store = new CheckpointStore(checkpoints, { keep: 9 })
  for (const step of [1, 2, 3]) await store.write(sampleSnapshot(step))
  const watch = new RegistryWatch({ registry, checkpoints, telemetry: new SilentTelemetry(), frozen: () => undefined })
  expect(watch.resumable).toBeNull()
  await watch.look()
  expect(watch.resumable).toEqual(['v00000003', 'v00000002'])
  rmSync(join(checkpoints, 'step-00000002', 'MANIFEST.json'))
  await watch.look()
  expect(watch.resumable).toEqual(['v00000003'])
})
