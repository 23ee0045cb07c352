import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Registry, type RegistryOptions } from '../../../src/adapters/registry/registry.js'
import { BucketFiles } from '../../../src/adapters/storage/bucket-files.js'
import { bucketAt, HAS_S3, type S3Server, startS3Server } from '../../s3/server.js'
import { errorOf, temporaryDirectory } from '../../support/checkpoints.js'
import { added, addLive, passGate } from '../../support/registry.js'

let server: S3Server | null = null
beforeAll(async () => {
  if (HAS_S3) server = await startS3Server()
})
afterAll(() => server?.stop())

/** Where a registry may be. The bucket is that of a real server: `make s3-test`. */
const STORES = [
  ['a directory', () => temporaryDirectory()],
  ...(HAS_S3 ? [['a bucket', () => new BucketFiles(bucketAt(server!.url), temporaryDirectory())] as const] : []),
] as const

describe.each(STORES)('in %s', (_, place) => {
  const open = (options: Partial<RegistryOptions> = {}) => ({
    registry: new Registry(place(), { by: 'daemon', ...options }),
  })

  it('promoting takes a passed report, or --force', async () => {
    const { registry } = open()
    await addLive(registry, 1)
    await added(registry, 2)
    const refusal = () => errorOf(() => registry.promote('v00000002'))
    expect((await refusal()).line).toMatch(/^ADAPTER_UNGATED .*: v00000002 has no gate report$/)
    await registry.saveGateReport({ version: 'v00000002', outcome: 'error' })
    expect((await refusal()).message).toBe('v00000002 did not pass the gate (error)')
    await passGate(registry, 'v00000002')
    expect((await registry.promote('v00000002')).aliases).toMatchObject({ live: 'v00000002', previous: 'v00000001' })
    expect((await registry.promote('v00000001', { force: true })).aliases.live).toBe('v00000001')
    expect((await errorOf(() => registry.promote('v00000009', { force: true }))).code).toBe('ADAPTER_UNKNOWN')
  })

  it('an older version that somebody has promoted stays live when the daemon starts again and offers the newest', async () => {
    const { registry } = open()
    for (const step of [1, 2]) await addLive(registry, step)
    await registry.promote('v00000001', { force: true })
    expect(await registry.publish('v00000002')).toBe(false)
    expect((await registry.current()).aliases.live).toBe('v00000001')
    await addLive(registry, 3)
    expect((await registry.current()).aliases.live).toBe('v00000003')
  })

  it('a second rollback goes further back, and there is an end to it', async () => {
    const { registry } = open()
    for (const step of [1, 2, 3]) await addLive(registry, step)
    await registry.rollback()
    expect((await registry.rollback()).aliases).toMatchObject({ live: 'v00000001', previous: null })
    expect((await errorOf(() => registry.rollback())).code).toBe('ADAPTER_NO_PREVIOUS')
    const newer = await errorOf(() => registry.rollback({ to: 'v00000003' }))
    expect(newer.message).toBe('v00000003 is newer than the live version v00000001')
  })

  it('a rollback to the live version only freezes', async () => {
    const { registry } = open()
    for (const step of [1, 2]) await addLive(registry, step)
    const { aliases, frozen } = await registry.rollback({ to: 'v00000002' })
    expect([aliases.live, aliases.previous, frozen]).toEqual(['v00000002', 'v00000001', true])
  })

  it('a pinned version stays live until the pin is taken off', async () => {
    const { registry } = open()
    for (const step of [1, 2]) await addLive(registry, step)
    expect((await errorOf(() => registry.pin('v00000001'))).code).toBe('ADAPTER_UNGATED')
    await registry.pin('v00000001', { force: true })
    expect(await registry.version('v00000001')).toMatchObject({ state: 'live', pinned: true })
    await added(registry, 3)
    expect(await registry.publish('v00000003')).toBe(false)
    expect((await errorOf(() => registry.promote('v00000003', { force: true }))).code).toBe('ADAPTER_PINNED')
    await registry.unpin()
    expect(await registry.publish('v00000003')).toBe(true)
  })

  it('a rollback goes to the previous version, marks what is newer, and holds everything until it is ended', async () => {
    const { registry } = open()
    for (const step of [1, 2, 3]) await addLive(registry, step)
    await added(registry, 4)
    const { aliases, frozen, states } = await registry.rollback()
    expect(aliases).toEqual({ candidate: null, canary: null, live: 'v00000002', previous: 'v00000001' })
    expect(frozen).toBe(true)
    expect(states).toEqual({
      ...{ v00000001: 'retired', v00000002: 'live' },
      ...{ v00000003: 'rolled_back', v00000004: 'rolled_back' },
    })
    await added(registry, 5)
    expect(await registry.publish('v00000005')).toBe(false)
    await registry.resume()
    expect(await registry.publish('v00000003')).toBe(false)
    expect(await registry.publish('v00000005')).toBe(true)
    await passGate(registry, 'v00000003')
    expect((await errorOf(() => registry.promote('v00000003'))).message).toBe('v00000003 was rolled back')
  })

  it('a refused candidate stays with its report, and live stays where it was', async () => {
    const { registry } = open()
    await addLive(registry, 1)
    await added(registry, 2)
    await registry.saveGateReport({ version: 'v00000002', outcome: 'refused' })
    await registry.refuse('v00000002')
    expect(await registry.version('v00000002')).toMatchObject({ state: 'refused', gate: 'refused', aliases: [] })
    expect(await registry.publish('v00000002')).toBe(false)
    await registry.refuse('v00000001')
    expect(await registry.version('v00000001')).toMatchObject({ state: 'live' })
  })

  it('gc keeps the newest, what an alias or a pin holds, and what a server has loaded', async () => {
    const { registry } = open()
    for (const step of [1, 2, 3, 4, 5, 6, 7]) await addLive(registry, step)
    await registry.rollback({ to: 'v00000004' })
    await registry.resume()
    await added(registry, 8)
    await added(registry, 9)
    const versions = async () => (await registry.files.names('.')).filter((name) => name.startsWith('v'))
    const wouldGo = ['v00000001', 'v00000005', 'v00000006', 'v00000007', 'v00000008']
    expect(await registry.gc(1, { loaded: ['v00000002'], dryRun: true })).toEqual(wouldGo)
    expect(await versions()).toHaveLength(9)
    expect(await registry.gc(1, { loaded: ['v00000002'] })).toEqual(wouldGo)
    // loaded, previous, live, candidate
    expect((await versions()).sort()).toEqual(['v00000002', 'v00000003', 'v00000004', 'v00000009'])
    expect((await registry.list()).map(({ version }) => version)).toEqual((await versions()).sort())
  })

  it('gc keeps the version that learning measures against', async () => {
    const { registry } = open({ reference: 'v00000001' })
    for (const step of [1, 2, 3, 4]) await addLive(registry, step)
    expect(await registry.gc(1)).toEqual(['v00000002'])
    expect(await registry.files.names('.')).toContain('v00000001')
  })
})
