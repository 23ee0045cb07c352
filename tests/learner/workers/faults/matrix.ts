import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import type { Fault } from './faults.js'
import { type Kind, STRUCK } from './kinds.js'
import { World } from './world.js'

/** A test for each kind of run that a fault happens to. */
export function matrix(fault: Fault, kinds: readonly Kind[]): void {
  describe(`a worker that is ${fault.name}`, () => {
    let world: World | null = null
    afterEach(() => vi.restoreAllMocks())
    afterAll(() => world?.close())
    test.each(kinds)('$name', async (kind) => {
      const here = world ?? (await World.open(fault))
      world = null
      try {
        await strike(here, fault, kind)
      } catch (error) {
        // it is what the test is told, whatever closing a broken world throws
        await here.close().catch(() => {})
        throw error
      }
      world = here
    })
  })
}

/**
 * Whatever the worker was at, all is as in one process, and its place is dropped with an error that names it. Once it
 * serves again, it is taken back and computes the same.
 */
async function strike(
  world: World,
  { codes, strike, heal, isReplaced }: Fault,
  { act, lieInWait }: Kind,
): Promise<void> {
  const run = lieInWait(() => strike(world.worker))
  world.act(act, () => {
    vi.restoreAllMocks()
    expect(run).toEqual({ strikes: 1, failed: true })
    expect(world.used).toEqual([true, false, true])
  })
  const [{ place, reason }, ...more] = world.dropped as [World['dropped'][number]]
  expect([place, more]).toEqual([STRUCK, []])
  expect(codes).toContain(reason.code)
  // of memory, that of a batch is named
  const stays = reason.code === 'DEVICE_OUT_OF_MEMORY'
  if (!stays) expect(reason.place).toBe(world.addresses[0])

  if (isReplaced) {
    // the loss, and that another is there
    expect(await world.takeBack()).toEqual(['PlaceDropped', 'WorkerNotTakenBack'])
    expect(world.used).toEqual([true, false, true])
  }
  heal(world.worker)
  const events = await world.takeBack()
  expect(events).toEqual(['PlaceDropped', ...(stays ? [] : ['PlacesChosen', 'WorkersTakenBack'])])
  if (stays) world.startAgain()
  world.dropped.length = 0
  expect(world.used).toEqual([true, true, true])
  world.compare()
  world.act(act)
  expect(world.dropped).toEqual([])
}
