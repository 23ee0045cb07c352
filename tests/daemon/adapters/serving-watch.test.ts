import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import { requireFor } from '../../../src/config/requirements.js'
import { RegistryWatch } from '../../../src/daemon/adapters/registry-watch.js'
import { ServingWatch } from '../../../src/daemon/adapters/serving-watch.js'
import { wantedVersions } from '../../../src/daemon/adapters/wanted-versions.js'
import { type sampleAdapter, temporaryDirectory } from '../../support/checkpoints.js'
import { RecordedVllm } from '../../support/recorded-vllm.js'
import { added, addLive, registryIn } from '../../support/registry.js'
import { SilentTelemetry } from '../../support/silent-telemetry.js'

/** log π of the last token, as a step moves it. */
const computed = (step: number, id: number) => -1 - (id % 3) + (id % 2 === 0 ? step / 50 : -step / 50)
const stepOf = (directory: string | null) => (directory === null ? 0 : Number(directory.slice(-8)))

async function watched() {
  const directory = join(temporaryDirectory(), 'adapters')
  const server = await RecordedVllm.start({
    logp: (model, id) => computed(stepOf(model), id),
  })
  const config = requireFor(
    loadConfig({
      env: {},
      set: [
        'model.path=m',
        'stream.brokers=["b:9092"]',
        'stream.topic=t',
        'checkpoint.dir=c',
        `adapters.dir=${directory}`,
      ],
      defaults: { publish: { targets: [{ kind: 'vllm', urls: [server.url] }], timeout: '10s' } },
    }),
    'run',
  )
  const telemetry = new SilentTelemetry()
  const { registry } = registryIn(directory)
  const watch = new RegistryWatch({ registry, telemetry, checkpoints: 'none', frozen: () => {} })
  // sampleAdapter(step) begins with its step
  const call = (async (_: string, adapter: ReturnType<typeof sampleAdapter> | null, pairs: Pairs) => {
    const step = adapter === null ? 0 : [...adapter.tensors.values()][0]!.data[0]!
    return pairs.map(({ completionTokens }) => computed(step, completionTokens[0] as number))
  }) as never
  const servers = new ServingWatch({
    config,
    files: registry.files,
    watch,
    telemetry,
    learner: { call, info: { vocabSize: 90 } as never },
    now: Date.now,
  })
  return { server, registry, watch, servers, telemetry, directory }
}

type Pairs = readonly { readonly completionTokens: readonly number[] }[]

test('a move that somebody makes reaches the servers at the next look at the registry', async () => {
  const { server, registry, watch, servers, directory } = await watched()
  await addLive(registry, 1)
  await watch.look()
  await servers.lookIfMoved()
  expect([...server.adapters]).toEqual([['bcod-v00000001', join(directory, 'v00000001')]])
  expect(servers.servers).toEqual({ [`127.0.0.1:${server.port}`]: { version: 'v00000001', problem: null } })
  const asked = server.requests.length
  await servers.lookIfMoved()
  expect(server.requests).toHaveLength(asked)
  await addLive(registry, 2)
  await registry.rollback()
  await watch.look()
  await servers.lookIfMoved()
  expect(servers.servers).toEqual({ [`127.0.0.1:${server.port}`]: { version: 'v00000001', problem: null } })
  expect(servers.loaded).toEqual(['v00000001'])
})

test('a server that serves the base silently is told of, in log, metrics and status', async () => {
  const { server, registry, watch, servers, telemetry } = await watched()
  await addLive(registry, 5)
  await watch.look()
  server.servesBase = true
  await servers.look()
  expect(Object.values(servers.servers)).toEqual([{ version: 'v00000005', problem: 'SERVING_MISMATCH' }])
  expect(telemetry.names).toContain('ServerLookedAt')
  expect(await telemetry.metrics.text()).toContain(`bcod_serving_mismatch{target="127.0.0.1:${server.port}"} 1`)
})

test('once closed nothing is looked at', async () => {
  const { server, registry, watch, servers } = await watched()
  await addLive(registry, 1)
  await watch.look()
  servers.close()
  await servers.lookIfMoved()
  expect(server.requests).toEqual([])
})

test('the versions that servers keep: live, what was live before it, the canary', () => {
  const state = (states: Record<string, string>, aliases: Record<string, string | null>) =>
    ({ states, aliases: { candidate: null, canary: null, live: null, previous: null, ...aliases } }) as never
  const states = { v00000001: 'retired', v00000002: 'retired', v00000003: 'refused', v00000004: 'live' }
  const aliases = { live: 'v00000004', previous: 'v00000002' }
  expect(wantedVersions(state(states, {}), 2)).toEqual([])
  expect(wantedVersions(state(states, aliases), 2)).toEqual(['v00000004', 'v00000002'])
  expect(wantedVersions(state(states, { ...aliases, canary: 'v00000005' }), 3)).toEqual([
    ...['v00000004', 'v00000002', 'v00000001', 'v00000005'],
  ])
})

test('canary and control stay loaded on every server, and are attested as the live version is', async () => {
  const { server, registry, watch, servers, telemetry } = await watched()
  for (const step of [1, 2, 3, 4]) await addLive(registry, step)
  await added(registry, 5)
  await registry.setControl({ version: 'v00000001', model: 'bcod-v00000001', share: 0.1 })
  await registry.startCanary('v00000005', 0.1)
  await watch.look()
  await servers.lookIfMoved()
  const loaded = ['v00000001', 'v00000003', 'v00000004', 'v00000005']
  expect([...server.adapters.keys()].sort()).toEqual(loaded.map((version) => `bcod-${version}`))
  // the server has lost the canary, and then answers it with the base
  server.adapters.delete('bcod-v00000005')
  await servers.look()
  expect([...server.adapters.keys()]).toContain('bcod-v00000005')
  expect(Object.values(servers.servers)).toEqual([{ version: 'v00000004', problem: null }])
  server.logp = (model, id) => computed(model?.endsWith('5') ? 0 : stepOf(model), id)
  await servers.look()
  expect(Object.values(servers.servers)).toEqual([{ version: 'v00000004', problem: 'SERVING_MISMATCH' }])
  expect(await telemetry.metrics.text()).toContain(`bcod_serving_mismatch{target="127.0.0.1:${server.port}"} 1`)
  server.logp = (model, id) => computed(stepOf(model), id)
  await registry.endCanary('v00000005', 'rolled_back')
  await watch.look()
  await servers.lookIfMoved()
  expect([...server.adapters.keys()]).not.toContain('bcod-v00000005')
  expect(await servers.base()).toBe('demo')
})

test('an older version that somebody is about to promote stays loaded over a look, until it is live or withdrawn', async () => {
  const { server, registry, watch, servers } = await watched()
  for (const step of [1, 2, 3]) await addLive(registry, step)
  await watch.look()
  await servers.look()
  const loaded = () => [...server.adapters.keys()].sort()
  expect(loaded()).toEqual(['bcod-v00000002', 'bcod-v00000003'])
  await servers.publish('v00000001')
  await servers.look()
  expect(loaded()).toContain('bcod-v00000001')
  await servers.withdraw('v00000001')
  expect(loaded()).not.toContain('bcod-v00000001')

  await servers.publish('v00000001')
  await registry.promote('v00000001', { force: true })
  await watch.look()
  await servers.look()
  expect(loaded()).toEqual(['bcod-v00000001', 'bcod-v00000003'])
})
