import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { Journal } from '../../src/checkpoint/journal.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { WORK } from '../../src/files/own-directory.js'
import { errorOf, sampleAdapter, sampleSnapshot, temporaryDirectory } from '../support/checkpoints.js'
import { added, addLive, linksOf, passGate, registryIn } from '../support/registry.js'
import { smallDisk } from './small-disk.js'

const MIB = 2 ** 20

/** Leaves `bytes` of the disk free. Returns how to give the space back. */
function fill(directory: string, bytes: number): () => void {
  const { bavail, bsize } = statfsSync(directory)
  const ballast = join(directory, 'ballast')
  writeFileSync(ballast, new Uint8Array(bavail * bsize - bytes))
  return () => rmSync(ballast)
}

const noSpace = () => Object.assign(new Error('no space'), { code: 'ENOSPC', syscall: 'write' })

/** A directory in which a write fails for lack of space until `free` is called, on a real disk where the host allows. */
async function fullDisk(bytesLeft: number) {
  const directory = await smallDisk(2 * MIB)
  if (directory !== null) {
    return { directory, fillUp: () => fill(directory, bytesLeft), onStage: () => {} }
  }
  let full = false
  const onStage = () => {
    if (full) throw noSpace()
  }
  const fillUp = () => {
    full = true
    return () => {
      full = false
    }
  }
  return { directory: temporaryDirectory(), fillUp, onStage }
}

it.each([0, 4096, 16_384, 65_536])(
  'a checkpoint on a disk with %i bytes left fails with its code, leaves the one before, and succeeds later',
  async (bytesLeft) => {
    const { directory, fillUp, onStage } = await fullDisk(bytesLeft)
    takeFence(directory)
    const store = new CheckpointStore(directory, { onStage })
    const before = await store.write(sampleSnapshot(1))
    const free = fillUp()
    const large = sampleSnapshot(2, { adapter: sampleAdapter(2, 10_000) })
    const error = await errorOf(() => store.write(large))
    expect(error.code).toBe('CHECKPOINT_DISK_FULL')
    expect(error.place).toBe(directory)
    expect(error.remedy).toMatch(/previous checkpoint is intact/)
    expect(readdirSync(join(directory, WORK))).toEqual([])
    expect((await store.latest())?.ref).toEqual(before)
    free()
    await store.write(large)
    expect((await store.latest())?.snapshot.step).toBe(2)
  },
)

it('a journal on a full disk keeps its lines and writes them once there is space', async () => {
  const directory = await smallDisk(MIB)
  if (directory === null) return
  const journal = await Journal.open(directory, takeFence(directory), null)
  const start = await journal.sync()
  const free = fill(directory, 0)
  const text = 'x'.repeat(10_000)
  journal.append({
    step: 1,
    events: [],
    microBatches: [],
    delta: 0,
    reference: text,
    lr: 0,
    loss: 0,
    classRate: 0.5,
    quarantined: [],
    adapter_sha256: '',
    time: '',
  })
  expect((await errorOf(() => journal.sync())).code).toBe('CHECKPOINT_DISK_FULL')
  free()
  const mark = await journal.sync()
  expect(mark.bytes).toBeGreaterThan(start.bytes + text.length)
  await journal.close()
  await Journal.open(directory, takeFence(directory), mark).then((again) => again.close())
})

it('an adapter published to a full disk fails with its code and leaves the live version', async () => {
  const directory = await smallDisk(MIB)
  if (directory === null) return
  const { registry } = registryIn(directory)
  await addLive(registry, 1)
  const before = await registry.current()
  const free = fill(directory, 8192)
  const large = sampleAdapter(2, 10_000)
  expect((await errorOf(() => registry.add(large, { step: 2, delta: 0 }))).code).toBe('ADAPTER_DISK_FULL')
  expect(readdirSync(directory).sort()).toEqual([WORK, 'ballast', 'live', 'moves', 'routing.json', 'v00000001'])
  expect(readdirSync(join(directory, WORK))).toEqual([])
  expect(await registry.current()).toEqual(before)
  free()
  const { version } = await registry.add(large, { step: 2, delta: 0 })
  expect(await registry.publish(version)).toBe(true)
})

it('a gate report on a full disk is not there, its version does not go live, and it is written once there is room', async () => {
  const directory = await smallDisk(MIB)
  if (directory === null) return
  const { registry } = registryIn(directory)
  for (const step of [1, 2]) await added(registry, step)
  await registry.publish('v00000001')
  const free = fill(directory, 0)
  expect((await errorOf(() => passGate(registry, 'v00000002'))).code).toBe('ADAPTER_DISK_FULL')
  expect(await registry.gateReport('v00000002')).toBeNull()
  expect((await errorOf(() => registry.promote('v00000002', {}))).code).toBe('ADAPTER_UNGATED')
  expect(linksOf(directory).live).toBe('v00000001')
  free()
  await passGate(registry, 'v00000002')
  expect(await registry.promote('v00000002', {})).toMatchObject({ aliases: { live: 'v00000002' } })
})

it('a move on a full disk is not made, or is made and followed once there is room', async () => {
  const directory = await smallDisk(MIB)
  if (directory === null) return
  const { registry } = registryIn(directory)
  for (const step of [1, 2]) await addLive(registry, step)
  const before = await registry.current()
  for (const room of [0, 4096, 8192]) {
    const free = fill(directory, room)
    const error = await registry.rollback().catch((thrown: unknown) => thrown)
    free()
    if (error instanceof Error) expect(error).toMatchObject({ code: 'ADAPTER_DISK_FULL' })
    const after = await registry.repair()
    const expected = after.generation === before.generation ? 'v00000002' : 'v00000001'
    expect(after.aliases.live).toBe(expected)
    expect(linksOf(directory).live).toBe(expected)
    expect(await registry.version(expected)).toMatchObject({ state: 'live' })
    expect(readdirSync(join(directory, WORK))).toEqual([])
    if (after.generation > before.generation) return
  }
  throw new Error('never made')
})
