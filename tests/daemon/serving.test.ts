import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { adapterVerbs } from '../../src/daemon/adapters/adapter-verbs.js'
import { eventually } from './feedback.js'
import { served } from './served-in-process.js'

test('votes become a version that every server answers before it is live', async () => {
  const { vote, until, names, live, config, scheduler, daemon, servers } = await served()
  await vote(0)
  await until(({ adapter }) => adapter === 'v00000001')
  expect([live(), ...names()]).toEqual(['v00000001', ['bcod-v00000001'], ['bcod-v00000001']])
  const routing = JSON.parse(readFileSync(join(config.adapters.dir, 'routing.json'), 'utf8'))
  expect(routing.arms).toEqual([{ name: 'live', version: 'v00000001', model: 'bcod-v00000001', share: 1 }])
  const fine = { version: 'v00000001', problem: null }
  await eventually(() => {
    scheduler.advance(15_000)
    return isDeepStrictEqual(
      daemon.status().servers,
      Object.fromEntries(servers.map(({ port }) => [`127.0.0.1:${port}`, fine])),
    )
  }, 20_000)
})

test('with one of two servers down the old version stays live everywhere, and training goes on', async () => {
  const { vote, until, names, live, servers, daemon, telemetry } = await served()
  await vote(0)
  await until(({ adapter }) => adapter === 'v00000001')
  await servers[1].close()
  await vote(4)
  await until(({ step }) => step === 2)
  await eventually(
    async () => (await telemetry.metrics.text()).includes('adapter_publish_total{outcome="failed"} 1'),
    20_000,
  )
  expect([live(), names()[0]]).toEqual(['v00000001', ['bcod-v00000001']])
  await servers[1].restart()
  await daemon.checkpoint()
  await until(({ adapter }) => adapter === 'v00000002')
  expect([live(), names()[0]]).toEqual(['v00000002', ['bcod-v00000001', 'bcod-v00000002']])
})

test('a rollback by another process reaches servers that have lost the version', async () => {
  const { vote, until, config, scheduler, daemon, servers } = await served()
  await vote(0)
  await until(({ adapter }) => adapter === 'v00000001')
  await vote(4)
  await until(({ adapter }) => adapter === 'v00000002')
  servers[0].adapters.delete('bcod-v00000001')
  await new Registry(config.adapters.dir, { by: 'cli' }).rollback()
  await eventually(() => {
    scheduler.advance(1_000)
    return servers.every(({ adapters }) => [...adapters.keys()].join() === 'bcod-v00000001')
  }, 20_000)
  expect(daemon.status().training_paused).toBe(true)
})

test('by the admin verbs servers load a version before it is live; a rollback waits for none that is down', async () => {
  const { liveUpTo, live, daemon, servers, scheduler } = await served()
  await liveUpTo(3)
  const verbs = adapterVerbs(daemon.adapters)
  servers[1].fault = 'closes the connection'
  const promoted = verbs['adapters/promote']!({ version: 'v00000001', force: true })
  await expect(promoted).rejects.toMatchObject({ code: 'SERVING_UNREACHABLE' })
  expect(live()).toBe('v00000003')
  expect(await verbs['adapters/rollback']!(null)).toMatchObject({ live: 'v00000002' })
  servers[1].fault = null
  expect(await verbs['adapters/promote']!({ version: 'v00000001', force: true })).toMatchObject({ live: 'v00000001' })
  await eventually(() => {
    scheduler.advance(1_000)
    return servers.every(({ adapters }) => adapters.has('bcod-v00000001') && !adapters.has('bcod-v00000003'))
  }, 20_000)
})
