import { expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { LostWorkers } from '../../src/daemon/lost-workers.js'
import { BcodError, type ErrorCode } from '../../src/errors.js'
import { capture } from '../telemetry/capture.js'

const config = loadConfig({
  env: {},
  set: ['devices=["CPU:0", "a:1/CPU:0", "b:1/CPU:0", "a:1/CPU:0"]', 'leader.address=127.0.0.1'],
})

/**
 * Workers of which those in `away` do not answer and those in `other` are what they should not be, and a learner that is
 * asked to open its session over some.
 */
async function world(
  away: readonly string[] = [],
  other: Readonly<Record<string, string>> = {},
  settings: typeof config = config,
) {
  const { telemetry, lines, sample } = capture()
  const state = {
    ...{ away: new Set(away), other: new Map(Object.entries(other)) },
    ...{ opened: [] as (readonly string[])[], refuses: null as ErrorCode | null },
  }
  const lost = new LostWorkers({
    ...{ config: settings, telemetry },
    ask: async (workers) => ({
      answering: workers.filter((worker) => !state.away.has(worker) && !state.other.has(worker)),
      left: workers.flatMap((place) => {
        const other = state.other.get(place)
        if (other !== undefined) return [new BcodError('WORKER_DIFFERS', other, { place })]
        return state.away.has(place) ? [new BcodError('WORKER_UNREACHABLE', 'no connection', { place })] : []
      }),
    }),
  })
  const learner = {
    async call(_: string, workers: readonly string[]) {
      if (state.refuses !== null) throw new BcodError(state.refuses, 'for the test')
      state.opened.push(workers)
      return []
    },
  } as unknown as Parameters<LostWorkers['takeBack']>[0]
  const drop = (place: number, code: ErrorCode) => lost.dropped(place, new BcodError(code, 'for the test'))
  /** What the learner opens at the next checkpoints. */
  const opened = async (checkpoints = 1) => {
    state.opened = []
    for (let i = 0; i < checkpoints; i++) await lost.takeBack(learner)
    return state.opened
  }
  return { ...{ lost, state, drop, opened, lines, sample }, started: await lost.answering() }
}

test('at the start those that are away are left out, each place with the reason', async () => {
  const { started, lines, sample } = await world(['a:1'])
  expect(started).toEqual(['b:1'])
  expect(lines.map(({ device, code }) => `${device} ${code}`)).toEqual([
    'a:1/CPU:0 WORKER_UNREACHABLE',
    'a:1/CPU:0 WORKER_UNREACHABLE',
  ])
  expect(await sample('bcod_place_dropped_total{place="3",code="WORKER_UNREACHABLE"}')).toBe(1)
})

test('with stages, a place is left out with the workers of its layers, and comes back when they do', async () => {
  const devices = ['CPU:0', 'a:1/CPU:0', 'b:1/CPU:0', 'c:1/CPU:0', 'CPU:0', 'a:1/CPU:0']
  const settings = loadConfig({
    env: {},
    set: [`devices=${JSON.stringify(devices)}`, 'model.stages=2', 'leader.address=127.0.0.1'],
  })
  const { started, drop, opened, state, lines, sample } = await world(['b:1'], {}, settings)
  expect(started).toEqual(['a:1', 'c:1'])
  expect(lines.map(({ device, code }) => `${device} ${code}`)).toEqual(['b:1/CPU:0+c:1/CPU:0 WORKER_UNREACHABLE'])
  expect(await sample('bcod_place_dropped_total{place="1",code="WORKER_UNREACHABLE"}')).toBe(1)
  state.away.clear()
  expect(await opened()).toEqual([['a:1', 'b:1', 'c:1']])
  drop(1, 'WORKER_LOST')
  state.away.add('c:1')
  expect(await opened(2)).toEqual([['a:1', 'b:1']])
  state.away.clear()
  expect(await opened(2)).toEqual([['a:1', 'b:1', 'c:1']])
})

test('one that is another at the start is named once', async () => {
  const { opened, lines } = await world([], { 'b:1': 'is bcod 0.1.1' })
  expect(await opened(3)).toEqual([])
  expect(lines.map(({ device, code }) => `${device} ${code}`)).toEqual(['b:1/CPU:0 WORKER_DIFFERS'])
})

test('as long as none is lost nothing is opened; one that is lost comes back at the next checkpoint at which it answers', async () => {
  const { drop, opened, state, lines } = await world()
  expect(await opened(2)).toEqual([])
  drop(2, 'WORKER_LOST')
  state.away.add('b:1')
  expect(await opened(3)).toEqual([])
  state.away.clear()
  expect(await opened()).toEqual([['a:1', 'b:1']])
  expect(lines.at(-1)).toMatchObject({ msg: 'workers are taken back', workers: ['b:1'] })
  expect(await opened(3)).toEqual([])
})

test('one that is in use and away when another comes back is left out of the session, and comes back later', async () => {
  const { drop, opened, state } = await world()
  drop(2, 'WORKER_LOST')
  state.away.add('a:1')
  expect(await opened()).toEqual([['b:1']])
  state.away.clear()
  expect(await opened()).toEqual([['a:1', 'b:1']])
})

test('one that is lost over and over is asked after one, two, four checkpoints', async () => {
  const { drop, opened } = await world()
  for (const wait of [1, 2, 4]) {
    drop(1, 'WORKER_LOST')
    drop(3, 'WORKER_LOST')
    expect(await opened(wait - 1)).toEqual([])
    expect(await opened()).toEqual([['a:1', 'b:1']])
  }
})

test.each(['PLACE_DIFFERS', 'DEVICE_OUT_OF_MEMORY'] as const)('one with %s stays out', async (code) => {
  const { drop, opened } = await world()
  drop(2, code)
  expect(await opened(100)).toEqual([])
  drop(1, 'WORKER_TIMEOUT')
  expect(await opened()).toEqual([['a:1']])
})

test('one that comes back as another is not taken back, and what is different is said once', async () => {
  const { drop, opened, state, lines, sample } = await world()
  drop(2, 'WORKER_LOST')
  const before = lines.length
  for (const difference of ['is bcod 0.1.1', 'has another model']) {
    state.other.set('b:1', difference)
    expect(await opened(3)).toEqual([])
  }
  expect(lines.slice(before).map(({ worker, code, reason }) => `${worker} ${code} ${reason}`)).toEqual([
    'b:1 WORKER_DIFFERS is bcod 0.1.1',
    'b:1 WORKER_DIFFERS has another model',
  ])
  // its place was out before
  expect(await sample('bcod_place_dropped_total{place="2",code="WORKER_LOST"}')).toBe(1)
  expect(await sample('bcod_place_dropped_total{place="2",code="WORKER_DIFFERS"}')).toBeNull()
  state.other.clear()
  expect(await opened()).toEqual([['a:1', 'b:1']])
})

test('if no session opens, that of before goes on, and it is tried again', async () => {
  const { drop, opened, state, lines } = await world()
  drop(2, 'WORKER_LOST')
  state.refuses = 'WORKER_TIMEOUT'
  expect(await opened()).toEqual([])
  expect(lines.at(-1)).toMatchObject({ code: 'WORKER_TIMEOUT' })
  state.refuses = null
  expect(await opened()).toEqual([['a:1', 'b:1']])
})

test('a learner that cannot go on ends the daemon', async () => {
  const { drop, opened, state } = await world()
  drop(2, 'WORKER_LOST')
  state.refuses = 'TENSORFLOW_FAILED'
  await expect(opened()).rejects.toMatchObject({ code: 'TENSORFLOW_FAILED' })
})
