import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Registry } from '../../../src/adapters/registry/registry.js'
import { openRegistryFiles } from '../../../src/adapters/storage/open-files.js'
import { loadOnServers } from '../../../src/cli/adapters/load-on-servers.js'
import { adaptersCommand } from '../../../src/cli/adapters.js'
import { loadConfig } from '../../../src/config/config.js'
import { temporaryDirectory } from '../../support/checkpoints.js'
import { RecordedVllm } from '../../support/recorded-vllm.js'
import { added, addLive, passGate, registryIn } from '../../support/registry.js'
import { stdoutOf } from '../capture.js'

/** Versions 1 and 2 live in turn, 3 and 4 passed, and two servers that have 1 and 2. */
async function place() {
  const { directory, registry } = registryIn(join(temporaryDirectory(), 'adapters'))
  for (const step of [1, 2]) await addLive(registry, step)
  for (const step of [3, 4]) {
    await added(registry, step)
    await passGate(registry, `v0000000${step}`)
  }
  const servers = [await RecordedVllm.start(), await RecordedVllm.start()] as const
  for (const { adapters } of servers)
    for (const version of ['v00000001', 'v00000002']) adapters.set(`bcod-${version}`, join(directory, version))
  const targets = [{ kind: 'vllm', urls: servers.map(({ url }) => url) }]
  const set = [`publish.targets=${JSON.stringify(targets)}`, 'publish.timeout=2s', `adapters.dir=${directory}`]
  const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  onTestFinished(() => stderr.mockRestore())
  const run = async (...args: string[]) => {
    stderr.mockClear()
    const flags = [...set.flatMap((each) => ['--set', each]), '--json']
    const moved = JSON.parse(await stdoutOf(adaptersCommand(), ...args, ...flags)) as { readonly live: string }
    return { ...moved, told: stderr.mock.calls.join('') }
  }
  const live = async () => (await registry.current()).aliases.live
  const loaded = () => servers.map(({ adapters }) => [...adapters.keys()].map((name) => Number(name.slice(-1))))
  return { registry, servers, config: loadConfig({ env: {}, set }), run, live, loaded }
}

test('a promotion has every server load the version, list it and answer under its name before it is live', async () => {
  const { registry, servers, run, loaded } = await place()
  const { generation } = await registry.current()
  expect(await run('promote', 'v00000003')).toMatchObject({ live: 'v00000003', told: '' })
  expect(loaded()).toEqual([1, 2].map(() => [1, 2, 3]))
  for (const { requests } of servers) expect(requests).toContain('POST /v1/completions bcod-v00000003')
  expect((await registry.movesAfter(generation)).map(({ cause }) => cause)).toEqual(['promoted'])
  expect(await run('pin', 'v00000004')).toMatchObject({ live: 'v00000004', pinned: 'v00000004' })
  expect(loaded()).toEqual([1, 2].map(() => [1, 2, 3, 4]))
})

test.each(['promote', 'pin'])('with one server down, %s moves nothing and leaves nothing loaded', async (verb) => {
  const { servers, run, live, loaded } = await place()
  servers[1].fault = 'closes the connection'
  await expect(run(verb, 'v00000003')).rejects.toMatchObject({ code: 'SERVING_UNREACHABLE' })
  expect([await live(), loaded()[0]]).toEqual(['v00000002', [1, 2]])
})

test('a version that a server lists and cannot answer is not promoted', async () => {
  const { servers, run, live, loaded } = await place()
  servers[0].logp = () => Number.NaN
  await expect(run('promote', 'v00000003')).rejects.toMatchObject({ place: servers[0].url })
  expect([await live(), ...loaded()]).toEqual(['v00000002', [1, 2], [1, 2]])
})

test('a rollback to what is loaded loads nothing', async () => {
  const { servers, run } = await place()
  expect(await run('rollback')).toMatchObject({ live: 'v00000001', frozen: true, told: '' })
  for (const { requests } of servers) expect(requests.filter((each) => each.includes('load_lora'))).toEqual([])
})

test.each(['hangs', 'closes the connection'] as const)(
  'a rollback moves within seconds although a server %s, tells of it, and the others load what they lack',
  async (fault) => {
    const { servers, run, loaded } = await place()
    servers[0].adapters.delete('bcod-v00000001')
    servers[1].fault = fault
    const started = Date.now()
    const { live, told } = await run('rollback')
    expect(Date.now() - started).toBeLessThan(8_000)
    expect([live, loaded()[0]?.includes(1)]).toEqual(['v00000001', true])
    expect(told).toContain(`SERVING_UNREACHABLE ${servers[1].url}`)
    expect(told).toContain('rolled back all the same')
  },
)

test('with --no-servers a version is live at once, no server is asked, and that is told', async () => {
  const { servers, run } = await place()
  const { live, told } = await run('promote', 'v00000003', '--no-servers')
  expect([live, servers[0].requests]).toEqual(['v00000003', []])
  expect(told).toContain('no server is asked')
})

/** Two who promote at once: the servers of each are ready when those of the other are. */
async function promoteAtOnce({ config }: Awaited<ReturnType<typeof place>>, versions: readonly [string, string]) {
  let waiting = 0
  let bothLoaded = () => {}
  const both = new Promise<void>((resolve) => {
    bothLoaded = resolve
  })
  const operator = () => {
    const { serve, withdraw } = loadOnServers(config, () => one)
    const files = openRegistryFiles({ ...config.adapters, dir: config.adapters.dir as string })
    const one: Registry = new Registry(files, {
      ...{ by: 'cli', withdraw },
      serve: async (...args) => {
        await serve(...args)
        waiting += 1
        if (waiting === 2) bothLoaded()
        await both
      },
    })
    return one
  }
  return Promise.allSettled(versions.map((version) => operator().promote(version)))
}

test('of two who promote at once one wins, the other is told, and its version is loaded nowhere', async () => {
  const made = await place()
  const versions = ['v00000003', 'v00000004'] as const
  const outcomes = await promoteAtOnce(made, versions)
  const winner = versions[outcomes.findIndex(({ status }) => status === 'fulfilled')] as string
  const lost = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason.code] : []))
  expect([lost, await made.live()]).toEqual([['ADAPTER_MOVED'], winner])
  expect(made.loaded()).toEqual([1, 2].map(() => [1, 2, Number(winner.slice(-1))]))
  expect((await made.registry.current()).aliases.previous).toBe('v00000002')
})

test('two who promote the same version at once both find it live and loaded', async () => {
  const made = await place()
  const outcomes = await promoteAtOnce(made, ['v00000003', 'v00000003'])
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled'])
  expect([await made.live(), ...made.loaded()]).toEqual(['v00000003', [1, 2, 3], [1, 2, 3]])
})
