import { rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { adapterVerbs } from '../../src/daemon/adapters/adapter-verbs.js'
import { BcodError } from '../../src/errors.js'
import { smallDisk } from '../checkpoint/small-disk.js'
import { eventually } from './feedback.js'
import { served } from './served-in-process.js'

/** Three versions that have been live in turn, on a disk that can be filled but for some pages. */
async function onSmallDisk() {
  const disk = await smallDisk(4 * 2 ** 20)
  if (disk === null) throw new Error('this test needs a small file system')
  const made = await served({ 'adapters.dir': join(disk, 'adapters') })
  await made.liveUpTo(3)
  const ballast = join(disk, 'ballast')
  const fillBut = (pages: number) => {
    const { bavail, bsize } = statfsSync(disk)
    writeFileSync(ballast, new Uint8Array((bavail - pages) * bsize))
  }
  const registry = new Registry(made.config.adapters.dir, { by: 'test' })
  const logged = async () => (await registry.current()).aliases.live as string
  /** Servers have the version that the log of moves says is live, and the one that routers send users to. */
  const expectServed = async () => {
    const routed = (await registry.routing())?.arms?.find(({ name }) => name === 'live')?.model
    for (const { adapters } of made.servers)
      expect([...adapters.keys()]).toEqual(expect.arrayContaining([`bcod-${await logged()}`, routed]))
  }
  /** With room again, all follows the log. */
  const expectFollowed = async () => {
    rmSync(ballast)
    const version = await logged()
    await eventually(async () => {
      made.scheduler.advance(2_000)
      const routed = (await registry.routing())?.arms?.find(({ name }) => name === 'live')?.version
      return made.daemon.status().adapters?.live === version && made.live() === version && routed === version
    }, 20_000)
    await expectServed()
  }
  return { ...made, verbs: adapterVerbs(made.daemon.adapters), fillBut, logged, expectServed, expectFollowed }
}

const codeOf = (answer: unknown) => (answer instanceof BcodError ? answer.code : 'done')

// of one move: an entry of the log, then the routes and the states
const PAGES = [0, 1, 2, 3]

test('a full disk during a promotion: what was moved is served, what was not is not, and it can be asked for again', async () => {
  const { verbs, fillBut, logged, expectServed, expectFollowed } = await onSmallDisk()
  const seen = new Set<string>()
  for (const [i, pages] of PAGES.entries()) {
    const [now, version] = [await logged(), i % 2 === 0 ? 'v00000001' : 'v00000002']
    fillBut(pages)
    const answer = await verbs['adapters/promote']!({ version, force: true }).catch((thrown: unknown) => thrown)
    const isMoved = (await logged()) === version
    if (!isMoved) expect(await logged()).toBe(now)
    seen.add(`${codeOf(answer)}, ${isMoved ? 'moved' : 'not moved'}`)
    await expectServed()
    await expectFollowed()
    await verbs['adapters/promote']!({ version, force: true })
    expect(await logged()).toBe(version)
  }
  expect([...seen]).toEqual(['ADAPTER_DISK_FULL, not moved', 'ADAPTER_DISK_FULL, moved', 'done, moved'])
})

test('a full disk during a rollback: once it is in the log, learning stands still and the version is served', async () => {
  const { verbs, daemon, fillBut, logged, expectServed, expectFollowed } = await onSmallDisk()
  const seen = new Set<string>()
  for (const pages of PAGES) {
    fillBut(pages)
    const answer = await verbs['adapters/rollback']!({ to: 'v00000001' }).catch((thrown: unknown) => thrown)
    const isMoved = (await logged()) === 'v00000001'
    seen.add(`${codeOf(answer)}, ${isMoved ? 'moved' : 'not moved'}`)
    expect(daemon.status().training_paused).toBe(isMoved)
    await expectServed()
    await expectFollowed()
    expect(daemon.status().training_paused).toBe(isMoved)
    await verbs['adapters/resume']!({ keep: true })
    await verbs['adapters/promote']!({ version: 'v00000003', force: true })
  }
  expect([...seen]).toEqual(['ADAPTER_DISK_FULL, not moved', 'ADAPTER_DISK_FULL, moved', 'done, moved'])
})
