import { describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { Attester } from '../../src/serving/attester.js'
import { loadedVersions, type Target } from '../../src/serving/replicas.js'
import { type Look, Serving } from '../../src/serving/serving.js'
import { errorOf } from '../support/checkpoints.js'
import { RecordedVllm } from '../support/recorded-vllm.js'

const REGISTRY = '/state/adapters'
const [FIRST, SECOND, THIRD] = ['v00000010', 'v00000050', 'v00000090'] as const
const at = (version: string) => `${REGISTRY}/${version}`

/** log π of a token: each version moves the base by its step / 1000 nats, up and down in turn. */
const computed = (version: string | null, id: number) =>
  -1 - (id % 5) + ((id % 2) - 0.5) * (version === null ? 0 : Number(version.slice(1)) / 1000)
const versionIn = (directory: string | null) => directory?.split('/').at(-1) ?? null

interface Settings {
  readonly servers: readonly RecordedVllm[]
  readonly target?: Partial<Target>
  readonly addressesOf?: (host: string) => Promise<readonly string[]>
  readonly apiKey?: string
  /** Long enough for a busy machine, where nothing hangs. */
  readonly timeout?: number
}

function serving({ servers, target, addressesOf, apiKey, timeout = 10_000 }: Settings) {
  const wanted: string[] = []
  const decided = new Set<string>()
  const looks: Look[] = []
  const failures: unknown[] = []
  const gone: string[] = []
  const scored: (string | null)[] = []
  const urls = servers.map(({ url }) => url)
  const made = new Serving({
    targets: [{ kind: 'vllm', urls, dns: null, name: 'bcod', apiKey: null, path: null, ...target }],
    options: { apiKey: apiKey ?? null, timeout, ...(addressesOf && { addressesOf }) },
    directory: REGISTRY,
    attester: new Attester({
      ...{ tolerance: 0.05, vocabSize: 500, seed: new Uint8Array(32) },
      scores: async (version, pairs) => {
        scored.push(version)
        return pairs.map(({ completionTokens }) => computed(version, completionTokens[0] as number))
      },
    }),
    wanted: () => wanted,
    pending: (version) => () => !decided.has(version),
    looked: (look) => looks.push(look),
    gone: (replica) => gone.push(replica),
    failed: (error) => failures.push(error),
  })
  const goLive = async (version: string) => {
    await made.publish(version)
    wanted.unshift(version)
    wanted.splice(2)
    decided.add(version)
  }
  const look = async () => {
    looks.length = 0
    await made.probe()
    return looks.map(({ version, problem, mended }) => ({ version, problem: codeOf(problem), mended: codeOf(mended) }))
  }
  return { serving: made, wanted, looks, failures, gone, scored, goLive, look }
}

const codeOf = (error: unknown) => (error instanceof BcodError ? error.code : error)
const fine = (version: string) => ({ version, problem: null, mended: null })
const start = (settings: Parameters<typeof RecordedVllm.start>[0] = {}) =>
  RecordedVllm.start({ logp: (model, id) => computed(versionIn(model), id), ...settings })
const names = ({ adapters }: RecordedVllm) => [...adapters.keys()]

describe('a version', () => {
  it('is loaded on every replica under a name of its own, from its own directory', async () => {
    const servers = [await start(), await start()]
    const { goLive, look } = serving({ servers })
    await goLive(FIRST)
    await goLive(SECOND)
    for (const { adapters } of servers)
      expect(Object.fromEntries(adapters)).toEqual({ 'bcod-v00000010': at(FIRST), 'bcod-v00000050': at(SECOND) })
    expect(await look()).toEqual([fine(SECOND), fine(SECOND)])
  })

  it('stays loaded until it is no longer wanted, and then its files may go', async () => {
    const server = await start()
    const { serving: made, goLive, look } = serving({ servers: [server] })
    for (const version of [FIRST, SECOND, THIRD]) await goLive(version)
    expect([...made.loaded]).toEqual([FIRST, SECOND, THIRD])
    await look()
    expect(names(server)).toEqual(['bcod-v00000050', 'bcod-v00000090'])
    expect([...made.loaded]).toEqual([SECOND, THIRD])
  })

  it('that is published and not live yet is not unloaded by a look', async () => {
    const server = await start()
    const { serving: made, goLive, look } = serving({ servers: [server] })
    await goLive(FIRST)
    await made.publish(SECOND)
    await look()
    expect(names(server)).toEqual(['bcod-v00000010', 'bcod-v00000050'])
  })

  it('of another program is left alone', async () => {
    const server = await start()
    server.adapters.set('mine', '/mine').set('bcod-experiment', '/x').set('other-v00000001', '/y')
    const { goLive, look } = serving({ servers: [server] })
    await goLive(SECOND)
    await look()
    expect(names(server)).toEqual(['mine', 'bcod-experiment', 'other-v00000001', 'bcod-v00000050'])
  })

  it('is loaded from where the servers see the registry', async () => {
    const server = await start()
    const { goLive } = serving({ servers: [server], target: { path: '/mnt/adapters' } })
    await goLive(FIRST)
    expect(server.adapters.get('bcod-v00000010')).toBe('/mnt/adapters/v00000010')
  })

  it('that a server has from elsewhere is unloaded first', async () => {
    const server = await start()
    server.adapters.set('bcod-v00000010', '/elsewhere/v00000010')
    await serving({ servers: [server] }).goLive(FIRST)
    expect(server.adapters.get('bcod-v00000010')).toBe(at(FIRST))
  })

  it('goes to every address of a name, which is still told to the server', async () => {
    const server = await start()
    const dns = `http://replicas.test:${server.port}`
    const addresses = ['127.0.0.1']
    const { goLive, look, gone, looks } = serving({
      ...{ servers: [], target: { dns, urls: [] }, addressesOf: async () => addresses },
    })
    await goLive(FIRST)
    expect(names(server)).toEqual(['bcod-v00000010'])
    expect(server.host).toBe(`replicas.test:${server.port}`)
    await look()
    expect(looks.map(({ replica }) => replica)).toEqual([`127.0.0.1:${server.port}`])
    addresses[0] = '127.0.0.2'
    await look()
    expect(gone).toEqual([`127.0.0.1:${server.port}`])
  })

  it('is published with the API key', async () => {
    const server = await start({ apiKey: 'sesame' })
    expect((await errorOf(() => serving({ servers: [server] }).goLive(FIRST))).code).toBe('SERVING_UNAUTHORIZED')
    await serving({ servers: [server], apiKey: 'sesame' }).goLive(FIRST)
    await serving({ servers: [server], apiKey: 'x', target: { apiKey: 'sesame' } }).goLive(SECOND)
    expect(names(server)).toEqual(['bcod-v00000010', 'bcod-v00000050'])
  })
})

describe('if one of two replicas fails, nothing goes live and the other is as it was:', () => {
  const faults: readonly (readonly [string, (server: RecordedVllm) => void, string])[] = [
    ['it is down', (server) => void server.close(), 'SERVING_UNREACHABLE'],
    ['it hangs', (server) => Object.assign(server, { fault: 'hangs' }), 'SERVING_UNREACHABLE'],
    [
      'it closes the connection',
      (server) => Object.assign(server, { fault: 'closes the connection' }),
      'SERVING_UNREACHABLE',
    ],
    ['it answers 500', (server) => Object.assign(server, { fault: 'answers 500' }), 'SERVING_ANSWER'],
    [
      'its maximum rank is smaller',
      (server) => Object.assign(server, { loadAnswer: 'load: rank-above-max' }),
      'SERVING_REFUSED',
    ],
    [
      'it serves the base under every name',
      (server) => Object.assign(server, { servesBase: true }),
      'SERVING_MISMATCH',
    ],
    ['it has another base model', (server) => Object.assign(server, { logp: () => -9 }), 'SERVING_MISMATCH'],
    ['it answers NaN', (server) => Object.assign(server, { logp: () => Number.NaN }), 'SERVING_ANSWER'],
  ]

  it.each(faults)('%s', async (_, fault, code) => {
    const [good, bad] = [await start(), await start()]
    const { goLive, wanted } = serving({ servers: [good, bad], timeout: 1_500 })
    await goLive(FIRST)
    fault(bad)
    const error = await errorOf(() => goLive(SECOND))
    expect(error).toMatchObject({ code })
    expect(error.message).toMatch(/\(1 of 2 servers failed\)$/)
    expect(wanted).toEqual([FIRST])
    expect(names(good)).toEqual(['bcod-v00000010'])
    await bad.close().catch(() => {})
    await bad.listen(0)
  })
})

it('the live version that one server cannot load again stays at the other', async () => {
  const [good, bad] = [await start(), await start()]
  const { serving: made, goLive } = serving({ servers: [good, bad] })
  await goLive(FIRST)
  for (const server of [good, bad]) server.adapters.clear()
  bad.loadAnswer = 'load: rank-above-max'
  expect(await errorOf(() => made.publish(FIRST))).toMatchObject({ code: 'SERVING_REFUSED' })
  expect(names(good)).toEqual(['bcod-v00000010'])
})

it('what servers have loaded is asked of all of them, and not known if one cannot be asked', async () => {
  const servers = [await start(), await start()]
  servers[0]?.adapters.set('bcod-v00000010', at(FIRST)).set('mine', '/mine')
  servers[1]?.adapters.set('bcod-v00000010', at(FIRST)).set('bcod-v00000050', at(SECOND))
  const urls = servers.map(({ url }) => url)
  const targets: Target[] = [{ kind: 'vllm', urls, dns: null, name: 'bcod', apiKey: null, path: null }]
  const options = { apiKey: null, timeout: 10_000 }
  expect(await loadedVersions(targets, options)).toEqual([FIRST, SECOND])
  Object.assign(servers[1] as RecordedVllm, { fault: 'closes the connection' })
  expect((await errorOf(() => loadedVersions(targets, options))).code).toBe('SERVING_UNREACHABLE')
  expect(await loadedVersions([], options)).toEqual([])
})

it('a load whose answer was lost counts if the server lists the name', async () => {
  const server = await start()
  server.fault = 'closes it after loading'
  await serving({ servers: [server] }).goLive(FIRST)
  expect(names(server)).toEqual(['bcod-v00000010'])
})

it('a name without an address fails, and is told at each look', async () => {
  const { goLive, look, failures } = serving({
    ...{ servers: [], target: { dns: 'http://replicas.test:8000', urls: [] }, addressesOf: async () => [] },
  })
  expect(await errorOf(() => goLive(FIRST))).toMatchObject({ code: 'SERVING_NO_REPLICA', retryable: true })
  await look()
  expect(failures.map(codeOf)).toEqual(['SERVING_NO_REPLICA'])
})

describe('a look', () => {
  it('finds a replica down, and mends it once it is back without its adapters', async () => {
    const server = await start()
    const { goLive, look } = serving({ servers: [server] })
    await goLive(FIRST)
    await goLive(SECOND)
    await server.close()
    expect(await look()).toEqual([{ version: null, problem: 'SERVING_UNREACHABLE', mended: null }])
    await server.restart()
    expect(await look()).toEqual([{ version: SECOND, problem: null, mended: 'SERVING_MISSING' }])
    expect(names(server).sort()).toEqual(['bcod-v00000010', 'bcod-v00000050'])
    expect(await look()).toEqual([fine(SECOND)])
  })

  it('mends a replica that lags', async () => {
    const server = await start()
    const { goLive, look, wanted } = serving({ servers: [server] })
    await goLive(FIRST)
    wanted.unshift(SECOND)
    expect(await look()).toEqual([{ version: SECOND, problem: null, mended: 'SERVING_MISSING' }])
  })

  it('finds a replica that serves the base silently, and loads the version again', async () => {
    const server = await start()
    const { goLive, look } = serving({ servers: [server] })
    await goLive(FIRST)
    server.servesBase = true
    const loads = () => server.requests.filter((each) => each.startsWith('POST /v1/load_lora_adapter')).length
    expect(loads()).toBe(1)
    expect((await look())[0]?.problem).toBe('SERVING_MISMATCH')
    expect(loads()).toBe(2)
    // then after 1, 2, 4, … looks
    for (let i = 0; i < 3; i++) await look()
    expect(loads()).toBe(3)
    server.servesBase = false
    expect(await look()).toEqual([fine(FIRST)])
  })

  it('mends a mismatch that a reload ends', async () => {
    const server = await start()
    const { goLive, look } = serving({ servers: [server] })
    await goLive(FIRST)
    await goLive(SECOND)
    const right = server.logp
    const mixedUp = server.requests.length
    server.logp = (model, id, prompt) => {
      const reloaded = server.requests.slice(mixedUp).some((each) => each.startsWith('POST /v1/load'))
      return right(model === at(SECOND) && !reloaded ? at(FIRST) : model, id, prompt)
    }
    expect(await look()).toEqual([{ version: SECOND, problem: null, mended: 'SERVING_MISMATCH' }])
  })

  it('does not ask again for what was refused, until the server has been away', async () => {
    const server = await start()
    const { look, wanted } = serving({ servers: [server] })
    wanted.unshift(FIRST)
    server.loadAnswer = 'load: rank-above-max'
    const loads = () => server.requests.filter((each) => each.startsWith('POST /v1/load_lora_adapter')).length
    for (let i = 0; i < 3; i++)
      expect((await look())[0]).toEqual({ version: null, problem: 'SERVING_REFUSED', mended: null })
    expect(loads()).toBe(1)
    await server.close()
    await look()
    server.loadAnswer = null
    await server.restart()
    expect(await look()).toEqual([{ version: FIRST, problem: null, mended: 'SERVING_MISSING' }])
    expect(loads()).toBe(2)
  })

  it('at one replica does not keep it from the others', async () => {
    const [bad, good] = [await start(), await start()]
    const { goLive, look } = serving({ servers: [bad, good], timeout: 1_500 })
    await goLive(FIRST)
    bad.fault = 'hangs'
    expect(await look()).toEqual(
      expect.arrayContaining([{ version: null, problem: 'SERVING_UNREACHABLE', mended: null }, fine(FIRST)]),
    )
  })
})

it('the learner computes each version once', async () => {
  const { goLive, look, scored } = serving({ servers: [await start(), await start()] })
  await goLive(FIRST)
  await look()
  await goLive(SECOND)
  await look()
  expect(scored.filter((version) => version === FIRST)).toHaveLength(1)
  expect(scored.filter((version) => version === null)).toHaveLength(1)
})
