import { expect, test, vi } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { adapterSha256 } from '../../src/adapters/weights/adapter.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import type { DaemonStatus } from '../../src/daemon/status.js'
import { BcodError } from '../../src/errors.js'
import { sampleAdapter } from '../support/checkpoints.js'
import type { ManualScheduler } from '../support/manual-scheduler.js'
import { trainedIds, voteIds } from './feedback.js'
import { place, records } from './in-process.js'

/** Lets the daemon look at its registry until something holds. */
async function lookedUntil(
  { daemon, until }: ReturnType<ReturnType<typeof place>['start']>,
  scheduler: ManualScheduler,
  condition: (status: DaemonStatus) => boolean,
): Promise<DaemonStatus> {
  const looks = setInterval(() => scheduler.advance(2_000), 20)
  try {
    await until(condition)
    return daemon.status()
  } finally {
    clearInterval(looks)
  }
}

/** Stops a daemon once the new step is durable, before its registry hears of it: the registry takes no move meanwhile. */
async function dying(
  first: ReturnType<ReturnType<typeof place>['start']>,
  scheduler: ManualScheduler,
): Promise<{ readonly number: number }> {
  const refuse = vi.spyOn(Registry.prototype, 'resumeDone').mockRejectedValue(new BcodError('ADAPTER_IO', 'is away'))
  await lookedUntil(first, scheduler, ({ step }) => step === 4)
  await vi.waitFor(() => expect(refuse).toHaveBeenCalled())
  await first.stop()
  refuse.mockRestore()
  return { number: 4 }
}

/** A daemon that has made three versions of four votes each, and was rolled back to the first. */
async function rolledBack() {
  const here = place()
  const first = here.start()
  await first.until(({ state }) => state === 'running')
  for (const from of [0, 4, 8]) {
    first.log.append(records(from, 4))
    const step = from / 4 + 1
    await first.until(({ adapter }) => adapter === `v0000000${step}`)
  }
  const { registry } = first.daemon.adapters
  await registry.rollback({ to: 'v00000001' })
  here.scheduler.advance(2_000)
  await first.until(({ training_paused }) => training_paused)
  const store = new CheckpointStore(here.config.checkpoint.dir)
  const sample = (step: number) => adapterSha256(sampleAdapter(step).tensors)
  return { ...here, first, registry, store, sample }
}

test('learning goes on from an older version under a new number; offsets stay, and what waited trains', async () => {
  const { first, registry, store, scheduler, journal, live, sample } = await rolledBack()
  first.log.append(records(12, 4))
  await first.until(({ waiting }) => waiting === 4)
  await registry.resumeFrom('v00000001')
  const status = await lookedUntil(first, scheduler, ({ adapter }) => adapter === 'v00000005')
  expect(status).toMatchObject({ step: 5, waiting: 0, training_paused: false, lag: { 0: 0 } })
  expect(live()).toBe('v00000005')
  expect(journal().map(({ step, resumed }) => [step, resumed?.from])).toEqual([
    ...[[1], [2], [3], [4, 1], [5]].map(([step, from]) => [step, from]),
  ])
  expect(journal()[3]).toMatchObject({ events: [], adapter_sha256: sample(1) })
  // each vote trained once; those of steps 2 and 3 do not train again
  expect(trainedIds(journal())).toEqual(voteIds(0, 16))
  expect(adapterSha256((await store.ofStep(4)).snapshot.adapter.tensors)).toBe(sample(1))
  expect(first.log.committed).toBe(16)
  expect(await registry.current()).toMatchObject({ frozen: false, resumeFrom: null })
  const { parent, votes } = await registry.version('v00000005')
  const counted = [votes!.up, votes!.down].flatMap((bySource) => Object.values(bySource))
  expect([parent, counted.reduce((sum, count) => sum + count, 0)]).toEqual(['v00000001', 4])
  const { values } = await first.telemetry.metrics.storage.abandonedVotes.get()
  expect(values[0]?.value).toBe(8)
})

test('a daemon that starts does what was asked for while none was running', async () => {
  const { first, registry, start, scheduler, journal } = await rolledBack()
  await first.stop()
  await registry.resumeFrom('v00000002')
  const second = start()
  await second.until(({ state }) => state === 'running')
  await lookedUntil(second, scheduler, ({ step, training_paused }) => step === 4 && !training_paused)
  expect(journal().at(-1)?.resumed).toMatchObject({ from: 2, version: 'v00000002' })
})

test('a daemon that died before the registry heard of it does not do it twice', async () => {
  const { first, registry, start, scheduler, journal } = await rolledBack()
  await registry.resumeFrom('v00000001')
  const { number } = await dying(first, scheduler)
  const second = start()
  await second.until(({ state }) => state === 'running')
  await lookedUntil(second, scheduler, ({ training_paused }) => !training_paused)
  expect(second.daemon.status().step).toBe(number)
  expect(journal().filter(({ resumed }) => resumed)).toHaveLength(1)
  expect(await registry.current()).toMatchObject({ frozen: false, resumeFrom: null })
})

test('a version without a checkpoint is told of, and nothing moves', async () => {
  const { store } = await rolledBack()
  await expect(store.ofStep(7)).rejects.toMatchObject({ code: 'ADAPTER_NOT_RESUMABLE' })
})
