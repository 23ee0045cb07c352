import { readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Registry, type RegistryOptions } from '../../../src/adapters/registry/registry.js'
import { BucketFiles } from '../../../src/adapters/storage/bucket-files.js'
import { adapterSha256 } from '../../../src/adapters/weights/adapter.js'
import { readAdapter } from '../../../src/adapters/weights/peft.js'
import { bucketAt, FaultyProxy, HAS_S3, type S3Server, startS3Server } from '../../s3/server.js'
import { errorOf, sampleAdapter, temporaryDirectory } from '../../support/checkpoints.js'
import { added, addLive } from '../../support/registry.js'

/** From now on the answer to the first request for each write is lost. @returns where that has happened */
function losesEachAnswerOnce(proxy: FaultyProxy): ReadonlySet<string> {
  const lost = new Set<string>()
  proxy.fate = (method, url) => {
    if (method !== 'PUT' || lost.has(url)) return 'through'
    lost.add(url)
    return 'lost'
  }
  return lost
}

let prefixes = 0

describe.runIf(HAS_S3)('against versitygw', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
  })
  afterAll(() => server.stop())

  /** A registry under a prefix of its own, and how to open it again as another process does. */
  function bucketed() {
    const prefix = `registry-${prefixes++}/`
    const open = (
      { by = 'daemon', ...options }: Partial<RegistryOptions> = {},
      { url = server.url, copies = temporaryDirectory() } = {},
    ) => new Registry(new BucketFiles(bucketAt(url, prefix), copies, options.onStage), { by, ...options })
    return { open, objects: join(server.objects, prefix), bucket: bucketAt(server.url, prefix) }
  }

  async function proxied() {
    const proxy = await FaultyProxy.start(server.url)
    onTestFinished(() => proxy.close())
    return proxy
  }

  it('a version that one process has added is read by another, and verified', async () => {
    const { open, bucket } = bucketed()
    const registry = open({ now: () => new Date('2026-01-02T03:04:05Z') })
    await addLive(registry, 7)
    const other = open({ by: 'cli' })
    expect(readAdapter(await other.files.local('v00000007'))).toEqual(sampleAdapter(7))
    expect(await other.version('v00000007')).toMatchObject({
      ...{ step: 7, state: 'live', aliases: ['live'], time: '2026-01-02T03:04:05.000Z' },
      sha256: adapterSha256(sampleAdapter(7).tensors),
    })
    const { folder, ...manifest } = JSON.parse((await bucket.get('manifests/v00000007.json'))!.toString())
    expect(manifest).toEqual({
      version: 'v00000007',
      files: ['adapter_config.json', 'adapter_model.safetensors'].map((name) => ({
        name,
        bytes: statSync(join(server.objects, bucket.place('').slice('s3://adapters/'.length), 'versions', folder, name))
          .size,
        sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      })),
    })
    expect(JSON.parse((await bucket.get('routing.json'))!.toString())).toMatchObject({
      arms: [{ name: 'live', version: 'v00000007', model: 'bcod-v00000007', share: 1 }],
    })
  })

  it('a version without its manifest is not there, and can be added again', async () => {
    const { open } = bucketed()
    const onStage = (stage: string) => {
      if (stage === 'objects written') throw new Error('fault')
    }
    await expect(added(open({ onStage }), 1)).rejects.toThrow('fault')
    const registry = open()
    expect(await registry.list()).toEqual([])
    expect(await registry.files.read('v00000001/bcod.json')).toBeNull()
    await addLive(registry, 1)
    expect((await registry.list()).map(({ version, state }) => [version, state])).toEqual([['v00000001', 'live']])
  })

  it('half-made versions go when nobody can be writing them any more', async () => {
    const { open, objects } = bucketed()
    await addLive(open(), 1)
    const onStage = (stage: string) => {
      if (stage === 'objects written') throw new Error('fault')
    }
    await expect(added(open({ onStage }), 2)).rejects.toThrow('fault')
    const folders = () => readdirSync(join(objects, 'versions')).map((name) => name.slice(0, 9))
    await open().gc(5)
    expect(folders().sort()).toEqual(['v00000001', 'v00000002'])
    const yesterday = Date.now() / 1000 - 90_000
    for (const folder of readdirSync(join(objects, 'versions')))
      for (const name of readdirSync(join(objects, 'versions', folder)))
        utimesSync(join(objects, 'versions', folder, name), yesterday, yesterday)
    await open().gc(5)
    expect(folders()).toEqual(['v00000001'])
  })

  it('a move whose answer is lost is made once, and is ours', async () => {
    const { open } = bucketed()
    for (const step of [1, 2]) await addLive(open(), step)
    const proxy = await proxied()
    const lost = losesEachAnswerOnce(proxy)
    const { generation } = await open().current()
    const registry = open({ by: 'cli' }, { url: proxy.url })
    expect(await registry.rollback({ generation })).toMatchObject({ generation: generation + 1, by: 'cli' })
    expect(lost.size).toBeGreaterThan(2)
    expect((await open().movesAfter(generation)).map(({ cause }) => cause)).toEqual(['rolled back'])
  })

  it('a version whose every answer is lost once is added once', async () => {
    const { open } = bucketed()
    const proxy = await proxied()
    losesEachAnswerOnce(proxy)
    await addLive(open({}, { url: proxy.url }), 1)
    expect((await open().movesAfter(0)).map(({ cause }) => cause)).toEqual(['added', 'published'])
    expect(readAdapter(await open().files.local('v00000001'))).toEqual(sampleAdapter(1))
  })

  it('operators who promote at once move one after the other, or are told', async () => {
    const { open } = bucketed()
    const daemon = open()
    for (const step of [1, 2, 3, 4]) await added(daemon, step)
    const { generation } = await daemon.current()
    const all = ['v00000001', 'v00000002', 'v00000003', 'v00000004']
    const told = await Promise.all(
      all.map((version) =>
        open({ by: version })
          .promote(version, { force: true, generation })
          .then(
            () => 'moved',
            ({ code }: { code: string }) => code,
          ),
      ),
    )
    expect(told.filter((each) => each === 'moved')).toHaveLength(1)
    expect(told.filter((each) => each === 'ADAPTER_MOVED')).toHaveLength(3)
    await Promise.all(all.map((version) => open({ by: version }).promote(version, { force: true })))
    const moves = await daemon.movesAfter(generation)
    expect(moves.map((move) => move.generation)).toEqual(moves.map((_, i) => generation + 1 + i))
    for (const [i, { aliases, by }] of moves.entries()) {
      expect(aliases.live).toBe(by)
      if (i > 0) expect(aliases.previous).toBe(moves[i - 1]!.aliases.live)
    }
    const { arms } = JSON.parse((await daemon.files.read('routing.json'))!)
    expect(arms[0].version).toBe(moves.at(-1)!.aliases.live)
  })

  it('an object that somebody has changed or removed is never used', async () => {
    const { open, objects } = bucketed()
    await addLive(open(), 1)
    const folder = join(objects, 'versions', readdirSync(join(objects, 'versions'))[0]!)
    writeFileSync(join(folder, 'adapter_model.safetensors'), 'something else')
    const changed = await errorOf(() => open().files.local('v00000001'))
    expect(changed.line).toMatch(/^S3_DAMAGED s3:\/\/adapters\/.*\/adapter_model.safetensors: is not what was written/)
    rmSync(join(folder, 'adapter_config.json'))
    expect((await errorOf(() => open().files.local('v00000001'))).message).toBe('is not there')
  })

  it('a copy that somebody has changed is copied again', async () => {
    const { open } = bucketed()
    await addLive(open(), 1)
    const copies = temporaryDirectory()
    const directory = await open({}, { copies }).files.local('v00000001')
    writeFileSync(join(directory, 'adapter_config.json'), '{}')
    expect(readAdapter(await open({}, { copies }).files.local('v00000001'))).toEqual(sampleAdapter(1))
  })

  it('a directory that is a registry is not used for copies, and keeps its versions', async () => {
    const { open } = bucketed()
    await addLive(open(), 1)
    const copies = temporaryDirectory()
    const before = new Registry(copies, { by: 'daemon' })
    for (const step of [1, 2]) await addLive(before, step)
    const registry = open({}, { copies })
    for (const use of [() => added(registry, 3), () => registry.gc(1), () => registry.files.local('v00000001')]) {
      const error = await errorOf(use)
      expect(error.line).toBe(`DIRECTORY_FOREIGN ${copies}: is a registry of its own`)
    }
    expect((await before.list()).map(({ version }) => version)).toEqual(['v00000001', 'v00000002'])
  })

  it('gc takes objects and copies away, and the copies of what others have removed', async () => {
    const { open, objects } = bucketed()
    const copies = temporaryDirectory()
    const daemon = open({}, { copies })
    for (const step of [1, 2, 3, 4]) await addLive(daemon, step)
    expect(readdirSync(copies).filter((name) => name.startsWith('v'))).toHaveLength(4)
    expect(await open({ by: 'cli' }).gc(2)).toEqual(['v00000001', 'v00000002'])
    expect(readdirSync(join(objects, 'versions')).map((name) => name.slice(0, 9))).toEqual(['v00000003', 'v00000004'])
    expect(await daemon.gc(2)).toEqual([])
    expect(readdirSync(copies).filter((name) => name.startsWith('v'))).toEqual(['v00000003', 'v00000004'])
  })
})
