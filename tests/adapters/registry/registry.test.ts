import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { Registry } from '../../../src/adapters/registry/registry.js'
import { publishedSteps } from '../../../src/adapters/storage/held-versions.js'
import { adapterSha256 } from '../../../src/adapters/weights/adapter.js'
import { readAdapter } from '../../../src/adapters/weights/peft.js'
import { WORK } from '../../../src/files/own-directory.js'
import { errorOf, sampleAdapter, temporaryDirectory } from '../../support/checkpoints.js'
import { liveVersion } from '../../support/live-version.js'
import { addLive, linksOf, registryIn } from '../../support/registry.js'

const time = new Date('2026-01-02T03:04:05Z')

it('a version is a whole PEFT directory with where it came from, and live once it is published', async () => {
  const directory = join(temporaryDirectory(), 'adapters')
  const registry = new Registry(directory, { by: 'daemon', now: () => time })
  const votesSince = async (step: number) => ({ up: { web: step + 5 }, down: {} })
  const origin = { config_sha256: 'c0ffee', checkpoint: 'step-00001234', votesSince }
  await registry.add(sampleAdapter(7), { step: 1234, delta: 0.25, ...origin })
  expect(liveVersion(directory)).toBeNull()
  expect(await registry.publish('v00001234')).toBe(true)
  expect(readlinkSync(join(directory, 'live'))).toBe('v00001234')
  expect(readAdapter(join(directory, 'live'))).toEqual(sampleAdapter(7))
  expect(JSON.parse(readFileSync(join(directory, 'live/bcod.json'), 'utf8'))).toEqual({
    version: 'v00001234',
    step: 1234,
    sha256: adapterSha256(sampleAdapter(7).tensors),
    delta: 0.25,
    parent: null,
    time: '2026-01-02T03:04:05.000Z',
    state: 'live',
    votes: { up: { web: 5 }, down: {} },
    config_sha256: 'c0ffee',
    checkpoint: 'step-00001234',
  })
  expect(readdirSync(directory).sort()).toEqual([WORK, 'live', 'moves', 'routing.json', 'v00001234'])
  expect(readdirSync(join(directory, WORK))).toEqual([])
})

it('the log of moves holds all that holds, one entry for each move', async () => {
  const { directory, registry } = registryIn()
  await addLive(registry, 1)
  await addLive(registry, 2)
  expect(readdirSync(join(directory, 'moves')).sort()).toEqual([1, 2, 3, 4].map((n) => `0000000${n}.json`))
  expect(JSON.parse(readFileSync(join(directory, 'moves/00000004.json'), 'utf8'))).toEqual({
    generation: 4,
    time: expect.stringMatching(/^\d{4}-/),
    by: 'daemon',
    cause: 'published',
    aliases: { candidate: null, canary: null, live: 'v00000002', previous: 'v00000001' },
    pinned: null,
    frozen: false,
    states: { v00000001: 'retired', v00000002: 'live' },
    salt: expect.stringMatching(/^[0-9a-f]{32}$/),
  })
  const { salt } = await registry.current()
  expect(JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8'))).toEqual({
    generation: 4,
    name: 'bcod',
    arms: [{ name: 'live', version: 'v00000002', model: 'bcod-v00000002', share: 1 }],
    salt,
  })
  expect((await registry.movesAfter(2)).map(({ cause }) => cause)).toEqual(['added', 'published'])
})

it('routers are told the name under which servers know the version, also by a command that does not know it', async () => {
  const directory = join(temporaryDirectory(), 'adapters')
  const daemon = new Registry(directory, { by: 'daemon', name: 'support' })
  for (const step of [1, 2]) await addLive(daemon, step)
  await new Registry(directory, { by: 'cli' }).rollback()
  const { name, arms } = JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8'))
  expect([name, arms[0].model]).toEqual(['support', 'support-v00000001'])
})

it('servers under other users can read it, whatever the umask', async () => {
  const directory = join(temporaryDirectory(), 'adapters')
  const before = process.umask(0o077)
  onTestFinished(() => {
    process.umask(before)
  })
  await addLive(new Registry(directory, { by: 'daemon' }), 1)
  const mode = (path: string) => statSync(join(directory, path)).mode & 0o777
  expect(['.', 'v00000001', 'moves'].map(mode)).toEqual([0o755, 0o755, 0o755])
  for (const file of ['routing.json', 'moves/00000001.json']) expect(mode(file)).toBe(0o644)
  for (const file of readdirSync(join(directory, 'v00000001'))) expect(mode(`v00000001/${file}`)).toBe(0o644)
})

it('versions follow each other, each with the one that was live before it', async () => {
  const { directory, registry } = registryIn()
  expect([await registry.list(), liveVersion(directory)]).toEqual([[], null])
  for (const step of [9, 10, 100_000_000]) await addLive(registry, step)
  expect((await registry.list()).map(({ version, parent, state }) => [version, parent, state])).toEqual([
    ['v00000009', null, 'retired'],
    ['v00000010', 'v00000009', 'retired'],
    ['v100000000', 'v00000010', 'live'],
  ])
  expect(await publishedSteps(registry.files)).toEqual(new Set([9, 10, 100_000_000]))
  expect(linksOf(directory)).toEqual({ live: 'v100000000', previous: 'v00000010' })
})

it('adding and publishing the same again changes nothing', async () => {
  const { directory, registry } = registryIn()
  await addLive(registry, 1)
  await addLive(registry, 2)
  const { ino } = lstatSync(join(directory, 'v00000002'))
  const before = await registry.current()
  await addLive(registry, 2)
  expect(lstatSync(join(directory, 'v00000002')).ino).toBe(ino)
  expect(await registry.current()).toEqual(before)
})

it('other contents under a version that exists are a conflict, and live stays', async () => {
  const { directory, registry } = registryIn()
  await addLive(registry, 1)
  const error = await errorOf(() => registry.add(sampleAdapter(2), { step: 1, delta: 0 }))
  expect(error.code).toBe('ADAPTER_VERSION_CONFLICT')
  expect(error.message).toMatch(/^v00000001 exists: added with sha256 [0-9a-f]{64}, now [0-9a-f]{64}$/)
  mkdirSync(join(directory, 'v00000003'))
  const unknown = await errorOf(() => registry.add(sampleAdapter(3), { step: 3, delta: 0 }))
  expect(unknown.message).toBe('v00000003 exists: it has no readable bcod.json')
  expect(liveVersion(directory)).toBe('v00000001')
  expect(readAdapter(join(directory, 'live'))).toEqual(sampleAdapter(1))
})

it.each([Number.NaN, Infinity, -Infinity])('an adapter that holds %s is not added', async (value) => {
  const { directory, registry } = registryIn()
  const adapter = sampleAdapter(1)
  const name = [...adapter.tensors.keys()][1]!
  adapter.tensors.get(name)!.data[3] = value
  const error = await errorOf(() => registry.add(adapter, { step: 5, delta: 0 }))
  expect(error.line).toBe(`ADAPTER_NONFINITE ${directory}: tensor ${name} of step 5`)
  expect(readdirSync(directory)).toEqual([])
})

it('a reader that follows live while versions change always finds a whole adapter', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-registry-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const registry = new Registry(directory, { by: 'daemon' })
  await addLive(registry, 0)
  let publishing = true
  const writer = (async () => {
    for (let step = 1; step <= 20; step++) await addLive(registry, step)
    publishing = false
  })()
  let reads = 0
  while (publishing) {
    const { tensors } = readAdapter(join(directory, readlinkSync(join(directory, 'live'))))
    expect(tensors.size).toBe(2)
    reads++
    await new Promise(setImmediate)
  }
  await writer
  expect(reads).toBeGreaterThan(20)
})

it('the log keeps its newest two thousand moves', async () => {
  const { directory, registry } = registryIn()
  await addLive(registry, 1)
  const newest = await registry.current()
  const path = (generation: number) => join(directory, 'moves', `${String(generation).padStart(8, '0')}.json`)
  for (let generation = 3; generation <= 2004; generation++)
    writeFileSync(path(generation), JSON.stringify({ ...newest, generation }))
  await registry.gc(20)
  const names = readdirSync(join(directory, 'moves')).sort()
  expect([names.length, names[0], names.at(-1)]).toEqual([2000, '00000005.json', '00002004.json'])
  await addLive(registry, 2)
  expect((await registry.current()).generation).toBe(2006)
})

it('a registry of an older bcod is adopted: its link says what is live', async () => {
  const { directory, registry } = registryIn()
  for (const step of [1, 2]) await addLive(registry, step)
  rmSync(join(directory, 'moves'), { recursive: true })
  for (const name of ['routing.json', 'previous']) rmSync(join(directory, name))
  const older = new Registry(directory, { by: 'cli' })
  expect(await older.repair()).toMatchObject({ generation: 0, aliases: { live: 'v00000002', previous: null } })
  expect(readdirSync(directory)).not.toContain('moves')
  await addLive(older, 3)
  expect((await older.current()).states).toEqual({ v00000001: 'retired', v00000002: 'retired', v00000003: 'live' })
  expect(linksOf(directory)).toEqual({ live: 'v00000003', previous: 'v00000002' })
})

it('what somebody has moved out of the directory is in no alias any more', async () => {
  const { directory, registry } = registryIn()
  for (const step of [1, 2, 3]) await addLive(registry, step)
  rmSync(join(directory, 'v00000003'), { recursive: true })
  expect(await registry.repair()).toMatchObject({ aliases: { live: null, previous: 'v00000002' } })
  expect(linksOf(directory)).toEqual({ previous: 'v00000002' })
  await addLive(registry, 2)
  expect(linksOf(directory)).toEqual({ live: 'v00000002' })
})

it('gc leaves alone what somebody may be writing, and removes what a killed process has left', async () => {
  const { directory, registry } = registryIn()
  await addLive(registry, 1)
  const half = join(directory, WORK, 'v00000002-0123456789ab')
  mkdirSync(half)
  await registry.gc(1)
  expect(existsSync(half)).toBe(true)
  const anHourAgo = Date.now() / 1000 - 3600
  utimesSync(half, anHourAgo, anHourAgo)
  await registry.gc(1)
  expect(existsSync(half)).toBe(false)
})
