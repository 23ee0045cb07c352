import { expect, onTestFinished, test } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { Journal } from '../../src/checkpoint/journal.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { loadConfig } from '../../src/config/config.js'
import type { AdapterPublisher } from '../../src/daemon/adapters/adapter-publisher.js'
import { Checkpointer, type CheckpointerParts } from '../../src/daemon/checkpointer.js'
import type { OffsetCommitter } from '../../src/daemon/stream/offset-committer.js'
import { StreamState } from '../../src/daemon/stream/stream-state.js'
import { BcodError } from '../../src/errors.js'
import { sampleAdapter, temporaryDirectory } from '../support/checkpoints.js'
import { SilentTelemetry } from '../support/silent-telemetry.js'

/** A checkpointer in front of a learner that has applied `world.step` steps. */
async function writer(...set: string[]) {
  const directory = temporaryDirectory()
  const config = loadConfig({ env: {}, set: ['model.path=/models/tiny', ...set] })
  const store = new CheckpointStore(directory, { keep: 3 })
  const fence = takeFence(directory)
  const journal = await Journal.open(directory, fence, null)
  onTestFinished(() => journal.close())
  const nothing = () => undefined
  const state = new StreamState(config, nothing, {
    write: async () => undefined,
    acknowledged: nothing,
    failed: nothing,
  })
  const telemetry = new SilentTelemetry()
  const world = {
    step: 0,
    learnerStep: null as number | null,
    published: null as number | null,
    failure: null as unknown,
    disk: null as BcodError | null,
  }
  const calls: string[] = []
  const committer = {
    allow: (offsets: ReadonlyMap<number, number>) => calls.push(`allow ${JSON.stringify([...offsets])}`),
    assigned: (partitions: readonly number[]) => calls.push(`assigned ${partitions}`),
    commit: async () => void calls.push('commit'),
  }
  const publisher = {
    get step() {
      return world.published
    },
    async publish({ step }: { step: number }) {
      calls.push(`publish ${step}`)
      world.published = step
    },
  }
  const learner = {
    info: { resolved: { executor: 'graph', dtype: 'f32', threads: 2, layers: '' } },
    async call(name: string) {
      if (world.disk !== null) throw world.disk
      if (name === 'device') return { tensors: 1, memoryBytes: null, places: [] }
      const step = world.learnerStep ?? world.step
      return { step, delta: 0, adapter: sampleAdapter(step), state: new Map() }
    },
  }
  const failing: boolean[] = []
  const parts: Omit<CheckpointerParts, 'start'> = {
    ...{ config, store, journal, state, telemetry, fence },
    log: { topic: 'feedback', clusterId: async () => 'cluster' },
    learner: learner as unknown as CheckpointerParts['learner'],
    committer: committer as unknown as OffsetCommitter,
    publisher: publisher as unknown as AdapterPublisher,
    identities: { base: 'base', tokenizer: null, config: 'config' },
    step: () => world.step,
    failing: (isFailing) => failing.push(isFailing),
    throwIfFailed: () => {
      if (world.failure !== null) throw world.failure
    },
  }
  const start = async () => new Checkpointer({ ...parts, start: await store.latest() })
  const checkpointer = await start()

  return { checkpointer, start, world, state, calls, failing, telemetry, directory, store }
}

const read = (state: StreamState, offset: number) => state.positions.advance(0, offset)

test('before partitions are assigned there is nothing to write; then checkpoint 0 is, and its offsets are committed', async () => {
  const { checkpointer, state, calls, store } = await writer()
  await checkpointer.checkpoint()
  expect(await store.latest()).toBeNull()
  read(state, 5)
  calls.length = 0
  await checkpointer.assigned([0])
  expect(calls).toEqual(['assigned 0', 'allow [[0,5]]', 'commit', 'publish 0'])
  expect((await store.latest())?.snapshot).toMatchObject({
    step: 0,
    revision: 0,
    positions: { 0: 5 },
    clusterId: 'cluster',
  })
  expect(checkpointer.durable).toBe(true)
})

test('offsets are allowed only once the checkpoint that holds them is durable', async () => {
  const { checkpointer, state, world, calls, store } = await writer()
  read(state, 1)
  await checkpointer.checkpoint()
  state.positions.track({ topic: 'feedback', partition: 0, offset: 1 })
  read(state, 9)
  world.step = 1
  calls.length = 0
  await checkpointer.checkpoint()
  // offset 1 is still open
  expect(calls).toEqual(['allow [[0,1]]', 'commit', 'publish 1'])
  expect((await store.latest())?.snapshot).toMatchObject({ step: 1, positions: { 0: 9 } })
})

test('if only positions moved, it is a revision of the step; if nothing moved, nothing is written', async () => {
  const { checkpointer, state, store, calls } = await writer()
  read(state, 1)
  await checkpointer.checkpoint()
  read(state, 2)
  await checkpointer.checkpoint()
  const newest = async () => (await store.latest())?.ref.name
  expect(await newest()).toBe('step-00000000.r0001')
  calls.length = 0
  await checkpointer.checkpoint()
  expect([await newest(), calls]).toEqual(['step-00000000.r0001', ['commit']])
})

test('a publication that failed is tried again although nothing moved', async () => {
  const { checkpointer, state, world, calls } = await writer()
  read(state, 1)
  world.step = 2
  await checkpointer.checkpoint()
  world.published = null
  expect(checkpointer.durable).toBe(false)
  calls.length = 0
  await checkpointer.checkpoint()
  expect([calls, checkpointer.durable]).toEqual([['commit', 'publish 2'], true])
})

test('checkpoint.everySteps counts from the last checkpoint', async () => {
  const { checkpointer, state, world } = await writer('checkpoint.everySteps=2')
  read(state, 1)
  await checkpointer.checkpoint()
  const due = []
  for (world.step = 1; world.step <= 2; world.step++) due.push(checkpointer.due)
  expect(due).toEqual([false, true])
})

test('after a failure nothing is allowed; the third in a row counts as failing, and one success ends it', async () => {
  const { checkpointer, state, world, calls, failing, telemetry } = await writer()
  read(state, 1)
  await checkpointer.checkpoint()
  world.disk = new BcodError('CHECKPOINT_DISK_FULL', 'no room')
  world.step = 1
  calls.length = failing.length = 0
  for (let i = 0; i < 3; i++) await checkpointer.checkpoint()
  expect([calls, failing, checkpointer.durable]).toEqual([[], [false, false, true], false])
  expect(telemetry.names.filter((name) => name === 'Failed')).toHaveLength(3)
  world.disk = null
  await checkpointer.checkpoint()
  expect([failing.at(-1), checkpointer.durable]).toEqual([false, true])
})

test('a failed first checkpoint, a failed pipeline, a learner of another step and a higher fence end the daemon', async () => {
  const first = await writer()
  read(first.state, 1)
  first.world.disk = new BcodError('CHECKPOINT_DISK_FULL', 'no room')
  await expect(first.checkpointer.checkpoint()).rejects.toMatchObject({ code: 'CHECKPOINT_DISK_FULL' })

  const { checkpointer, state, world, directory, store } = await writer()
  read(state, 1)
  await checkpointer.checkpoint()
  read(state, 2)
  world.failure = new Error('the pipeline failed')
  await expect(checkpointer.checkpoint()).rejects.toThrow('the pipeline failed')
  world.failure = null
  world.step = 3
  world.learnerStep = 2
  await expect(checkpointer.checkpoint()).rejects.toMatchObject({ code: 'INTERNAL' })
  world.learnerStep = null
  takeFence(directory)
  await expect(checkpointer.assigned([0])).rejects.toMatchObject({ code: 'FENCED' })
  await expect(checkpointer.checkpoint()).rejects.toMatchObject({ code: 'FENCED' })
  expect((await store.latest())?.snapshot.positions).toEqual({ 0: 1 })
})

test('a restart continues the lineage: step, revision and parent', async () => {
  const { checkpointer, start, state, world, store } = await writer()
  read(state, 1)
  world.step = 4
  await checkpointer.checkpoint()
  const parent = (await store.latest())?.ref
  const next = await start()
  expect(next.due).toBe(false)
  read(state, 2)
  await next.checkpoint()
  expect((await store.latest())?.snapshot).toMatchObject({ step: 4, revision: 1, parent })
})
