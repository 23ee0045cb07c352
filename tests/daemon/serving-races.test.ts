import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { expect, test } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { loadOnServers } from '../../src/cli/adapters/load-on-servers.js'
import { adapterVerbs } from '../../src/daemon/adapters/adapter-verbs.js'
import { randomOf } from '../ratio/streams.js'
import { runs } from '../support/thorough.js'
import { eventually } from './feedback.js'
import { served } from './served-in-process.js'

const shuffled = <T>(all: readonly T[], random: () => number): T[] =>
  all
    .map((each) => [random(), each] as const)
    .sort(([a], [b]) => a - b)
    .map(([, each]) => each)

const unloaded = ({ requests }: { readonly requests: readonly string[] }, version: string) =>
  requests.filter((request) => request === `POST /v1/unload_lora_adapter bcod-${version}`)

test.each(['closes the connection', 'hangs'] as const)(
  'a rollback further back while a server %s: the other one has the version before it is live, and keeps it',
  async (fault) => {
    const { liveUpTo, live, daemon, servers, scheduler } = await served({ 'publish.timeout': '1s' })
    await liveUpTo(3)
    const [one, other] = servers
    await eventually(() => {
      scheduler.advance(15_000)
      return servers.every(({ adapters }) => !adapters.has('bcod-v00000001'))
    }, 20_000)
    one.requests.length = 0
    other.fault = fault
    await adapterVerbs(daemon.adapters)['adapters/rollback']!({ to: 'v00000001' })
    expect([live(), one.adapters.has('bcod-v00000001')]).toEqual(['v00000001', true])
    other.fault = null
    await eventually(() => {
      scheduler.advance(15_000)
      return servers.every(({ adapters }) => [...adapters.keys()].join() === 'bcod-v00000001')
    }, 20_000)
    expect(unloaded(one, 'v00000001')).toEqual([])
  },
)

test('what a command loads on servers stays there while the daemon looks, until the command has moved', async () => {
  const { liveUpTo, live, config, servers, scheduler } = await served({ 'publish.timeout': '10s' })
  await liveUpTo(3)
  const [one, other] = servers
  await eventually(() => {
    scheduler.advance(15_000)
    return servers.every(({ adapters }) => !adapters.has('bcod-v00000001'))
  }, 20_000)
  // the second server takes its time, and the daemon looks more than once meanwhile
  let load = () => {}
  const isSlow = new Promise<void>((resolve) => {
    load = resolve
  })
  other.before = (request) => (request.startsWith('POST /v1/load') ? isSlow : undefined)
  const options = { by: 'cli', ...loadOnServers(config, () => registry) }
  const registry: Registry = new Registry(config.adapters.dir, options)
  const promoted = registry.promote('v00000001', { force: true })
  await eventually(() => one.adapters.has('bcod-v00000001'), 20_000)
  for (let look = 0; look < 2; look++) {
    const asked = one.requests.length
    await eventually(() => {
      scheduler.advance(1_000)
      return one.requests.length >= asked + 10
    }, 20_000)
  }
  load()
  await promoted
  expect(live()).toBe('v00000001')
  for (const server of servers) {
    expect([...server.adapters.keys()]).toContain('bcod-v00000001')
    expect(unloaded(server, 'v00000001').length).toBe(1)
  }
})

test('a pin while servers load the next version: it does not go live, and is unloaded', async () => {
  const { liveUpTo, vote, daemon, live, config, servers, scheduler, telemetry } = await served()
  await liveUpTo(2)
  const [, other] = servers
  const registry = new Registry(config.adapters.dir, { by: 'cli' })
  other.before = async (request) => {
    if (request.startsWith('POST /v1/load')) await registry.pin('v00000002')
  }
  await vote(12)
  const isHeld = 'adapter_publish_total{outcome="held"} 1'
  await eventually(async () => (await telemetry.metrics.text()).includes(isHeld), 20_000)
  expect(live()).toBe('v00000002')
  await eventually(() => {
    scheduler.advance(1_000)
    return servers.every(({ adapters }) => [...adapters.keys()].join() === 'bcod-v00000001,bcod-v00000002')
  }, 20_000)
  expect(daemon.status().adapters).toMatchObject({ candidate: 'v00000003', pinned: 'v00000002' })
})

test('a rollback waits for no publication that hangs, and its version is loaded before it is live', async () => {
  const { liveUpTo, vote, daemon, live, servers, scheduler } = await served({ 'publish.timeout': '20s' })
  await liveUpTo(3)
  const [one, other] = servers
  await eventually(() => {
    scheduler.advance(15_000)
    return servers.every(({ adapters }) => !adapters.has('bcod-v00000001'))
  }, 20_000)
  let go = () => {}
  const hangs = new Promise<void>((resolve) => {
    go = resolve
  })
  other.before = (request) => (request.startsWith('POST /v1/load') ? hangs : undefined)
  await vote(16)
  await eventually(() => one.adapters.has('bcod-v00000004'), 20_000)
  const began = Date.now()
  await adapterVerbs(daemon.adapters)['adapters/rollback']!({ to: 'v00000001' })
  expect(Date.now() - began).toBeLessThan(10_000)
  expect([live(), one.adapters.has('bcod-v00000001')]).toEqual(['v00000001', true])
  go()
  await eventually(() => {
    scheduler.advance(15_000)
    return servers.every(({ adapters }) => [...adapters.keys()].join() === 'bcod-v00000001')
  }, 20_000)
  expect([live(), unloaded(one, 'v00000001').length]).toEqual(['v00000001', 1])
})

test('a rollback while servers load a canary: nobody gets it, and no server keeps it', async () => {
  const { vote, until, daemon, config, servers, scheduler } = await served({ 'canary.share': 0.3 })
  await vote(4)
  await until(({ adapter }) => adapter === 'v00000001')
  const verbs = adapterVerbs(daemon.adapters)
  servers[1].before = async (request) => {
    if (request.startsWith('POST /v1/load')) await verbs['adapters/rollback']!({ to: 'v00000001' })
  }
  await vote(8)
  const registry = new Registry(config.adapters.dir, { by: 'test' })
  await eventually(async () => (await registry.current()).states.v00000002 === 'rolled_back', 20_000)
  await eventually(() => {
    scheduler.advance(1_000)
    return servers.every(({ adapters }) => [...adapters.keys()].join() === 'bcod-v00000001')
  }, 20_000)
  const { aliases, frozen } = await registry.current()
  expect([aliases.live, aliases.canary, frozen]).toEqual(['v00000001', null, true])
  const causes = (await registry.movesAfter(0)).map(({ cause }) => cause)
  expect(causes).not.toContain('canary started')
})

test('before the daemon runs nobody can have its servers load a version: only the way back is open', async () => {
  const { liveUpTo, start, stop, live } = await served()
  await liveUpTo(3)
  await stop()
  let fail: ((error: Error) => void) | null = null
  const startLearner = () =>
    new Promise<never>((_, reject) => {
      fail = reject
    })
  const next = start(undefined, { startLearner })
  await eventually(() => fail !== null, 20_000)
  const verbs = adapterVerbs(next.daemon.adapters)
  for (const verb of ['promote', 'pin'] as const) {
    const moved = verbs[`adapters/${verb}`]!({ version: 'v00000001', force: true })
    await expect(moved).rejects.toMatchObject({ code: 'NOT_RUNNING' })
  }
  expect(live()).toBe('v00000003')
  await verbs['adapters/rollback']!(null)
  expect(live()).toBe('v00000002')
  fail!(new Error('no learner'))
  await expect(next.running).rejects.toThrow('no learner')
})

test('three operators and the daemon at once: no server loses the live version, and the log has each move once', async () => {
  const { liveUpTo, vote, daemon, config, servers, scheduler } = await served({ 'adapters.keep': 100 })
  await liveUpTo(4)
  const registry = new Registry(config.adapters.dir, { by: 'test' })
  const lost: string[] = []
  const random = randomOf(1).uniform
  for (const server of servers)
    server.before = async (request) => {
      if (!request.startsWith('POST /v1/completions')) await sleep(20 * random())
      const { live } = (await registry.current()).aliases
      if (request === `POST /v1/unload_lora_adapter bcod-${live}`) lost.push(request)
    }
  const verbs = adapterVerbs(daemon.adapters)
  const promote = (version: string) => verbs['adapters/promote']!({ version, force: true })
  let [step, done] = [4, 0]
  for (let round = 0; round < runs(12); round++) {
    const [a, b, c] = shuffled([1, 2, 3, 4], random).map((each) => `v0000000${each}`) as [string, string, string]
    const back = () => (round % 2 === 1 ? verbs['adapters/rollback']!({ to: c }) : promote(c))
    step += 1
    await vote(4 * step)
    const looking = setInterval(() => scheduler.advance(1_000), 10)
    const running = shuffled([() => promote(a), () => promote(b), back], random).map(async (act) => {
      await sleep(50 * random())
      return act()
    })
    const outcomes = await Promise.allSettled(running)
    clearInterval(looking)
    for (const outcome of outcomes)
      if (outcome.status === 'fulfilled') done += 1
      else expect(['ADAPTER_MOVED', 'ADAPTER_NO_PREVIOUS'], String(outcome.reason)).toContain(outcome.reason.code)
    await verbs['adapters/resume']!({ keep: true })
    await eventually(() => daemon.status().step === step, 20_000)
    // what is live, what was so before it, and nothing that was given up
    await eventually(async () => {
      scheduler.advance(15_000)
      const { live, previous } = (await registry.current()).aliases
      const wanted = [live, previous].flatMap((each) => (each === null ? [] : `bcod-${each}`))
      return servers.every(({ adapters }) => isDeepStrictEqual(new Set(adapters.keys()), new Set(wanted)))
    }, 20_000)
  }
  expect([lost, done > 0]).toEqual([[], true])
  const moves = await registry.movesAfter(0)
  expect(moves.map(({ generation }) => generation)).toEqual(moves.map((_, i) => i + 1))
  const published = moves.filter(({ cause }) => cause === 'published').map(({ aliases }) => aliases.live)
  expect(published).toEqual([...new Set(published)])
}, 600_000)
