import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { adapterSha256 } from '../../src/adapters/adapter.js'
import { readAdapter } from '../../src/adapters/peft.js'
import {
  listVersions,
  liveVersion,
  publishAdapter,
  publishedSteps,
  setLiveVersion,
} from '../../src/adapters/publish.js'
import { WORK } from '../../src/files/own-directory.js'
import { errorOf, sampleAdapter, temporaryDirectory } from '../support/checkpoints.js'

const time = new Date('2026-01-02T03:04:05Z')

it('a published version is a whole PEFT directory that live points to, with where it came from', async () => {
  const directory = join(temporaryDirectory(), 'adapters')
  const version = await publishAdapter(directory, sampleAdapter(7), { step: 1234, delta: 0.25, time })
  expect(version).toEqual({
    version: 'v00001234',
    step: 1234,
    sha256: adapterSha256(sampleAdapter(7).tensors),
    delta: 0.25,
    parent: null,
    time: '2026-01-02T03:04:05.000Z',
  })
  expect(readlinkSync(join(directory, 'live'))).toBe('v00001234')
  expect(readAdapter(join(directory, 'live'))).toEqual(sampleAdapter(7))
  expect(JSON.parse(readFileSync(join(directory, 'live/bcod.json'), 'utf8'))).toEqual(version)
  expect(readdirSync(directory).sort()).toEqual([WORK, 'live', 'v00001234'])
})

it('servers under other users can read it, whatever the umask', async () => {
  const directory = join(temporaryDirectory(), 'adapters')
  const before = process.umask(0o077)
  onTestFinished(() => {
    process.umask(before)
  })
  await publishAdapter(directory, sampleAdapter(1), { step: 1, delta: 0 })
  const mode = (path: string) => statSync(join(directory, path)).mode & 0o777
  expect([mode('.'), mode('v00000001')]).toEqual([0o755, 0o755])
  for (const file of readdirSync(join(directory, 'v00000001'))) expect(mode(`v00000001/${file}`)).toBe(0o644)
})

it('versions follow each other, each with the one that was live before it', async () => {
  const directory = temporaryDirectory()
  expect([listVersions(directory), liveVersion(directory)]).toEqual([[], null])
  for (const step of [9, 10, 100_000_000])
    await publishAdapter(directory, sampleAdapter(step), { step, delta: 0, time })
  expect(listVersions(directory).map(({ version, parent }) => [version, parent])).toEqual([
    ['v00000009', null],
    ['v00000010', 'v00000009'],
    ['v100000000', 'v00000010'],
  ])
  expect(publishedSteps(directory)).toEqual(new Set([9, 10, 100_000_000]))
  expect(liveVersion(directory)).toBe('v100000000')
  await setLiveVersion(directory, 'v00000009')
  expect(liveVersion(directory)).toBe('v00000009')
})

it('publishing the same again changes nothing but the link, as after a crash between the two', async () => {
  const directory = temporaryDirectory()
  await publishAdapter(directory, sampleAdapter(1), { step: 1, delta: 0, time })
  const first = await publishAdapter(directory, sampleAdapter(2), { step: 2, delta: 0, time })
  const { ino } = lstatSync(join(directory, 'v00000002'))
  await setLiveVersion(directory, 'v00000001')
  expect(await publishAdapter(directory, sampleAdapter(2), { step: 2, delta: 0 })).toEqual(first)
  expect(lstatSync(join(directory, 'v00000002')).ino).toBe(ino)
  expect(liveVersion(directory)).toBe('v00000002')
})

it('other contents under a version that exists are a conflict, and live stays', async () => {
  const directory = temporaryDirectory()
  await publishAdapter(directory, sampleAdapter(1), { step: 1, delta: 0 })
  const error = await errorOf(() => publishAdapter(directory, sampleAdapter(2), { step: 1, delta: 0 }))
  expect(error.code).toBe('ADAPTER_VERSION_CONFLICT')
  expect(error.message).toMatch(/^v00000001 exists: published with sha256 [0-9a-f]{64}, now [0-9a-f]{64}$/)
  mkdirSync(join(directory, 'v00000003'))
  const unknown = await errorOf(() => publishAdapter(directory, sampleAdapter(3), { step: 3, delta: 0 }))
  expect(unknown.message).toBe('v00000003 exists: it has no readable bcod.json')
  expect(liveVersion(directory)).toBe('v00000001')
  expect(readAdapter(join(directory, 'live'))).toEqual(sampleAdapter(1))
})

it.each([Number.NaN, Infinity, -Infinity])('an adapter that holds %s is not published', async (value) => {
  const directory = temporaryDirectory()
  const adapter = sampleAdapter(1)
  const name = [...adapter.tensors.keys()][1]!
  adapter.tensors.get(name)!.data[3] = value
  const error = await errorOf(() => publishAdapter(directory, adapter, { step: 5, delta: 0 }))
  expect(error.line).toBe(`ADAPTER_NONFINITE ${directory}: tensor ${name} of step 5`)
  expect(readdirSync(directory)).toEqual([])
})

it('a reader that follows live while versions change always finds a whole adapter', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-publish-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  await publishAdapter(directory, sampleAdapter(0), { step: 0, delta: 0 })
  let publishing = true
  const writer = (async () => {
    for (let step = 1; step <= 20; step++) await publishAdapter(directory, sampleAdapter(step), { step, delta: 0 })
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
