import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { DaemonOptions } from '../../src/daemon/options.js'
import type { WorkerSetup } from '../../src/learner/protocol.js'
import { verdict } from '../../src/server/health.js'
import { startCountingLearner } from '../support/counting-learner.js'
import { trainedIds, voteIds } from './feedback.js'
import { junk, NOW, place, records } from './in-process.js'

const MIB = 2 ** 20

test('votes become steps, checkpoints, acknowledged offsets and a live adapter; the next daemon continues there', async () => {
  const { start, journal, live, scheduler } = place({ 'batch.maxLatency': '60s' })
  const first = start()
  await first.until(({ state }) => state === 'running')
  expect(verdict(first.daemon.ready())).toEqual({ ok: true, failing: [] })
  first.log.append(records(0, 9))
  const status = await first.until(({ step, waiting, adapter }) => step === 2 && waiting === 1 && adapter !== null)
  await first.until(({ adapter }) => adapter === 'v00000002')
  expect(status.lag).toEqual({ 0: 1 })
  expect([first.log.committed, live()]).toEqual([8, 'v00000002'])
  expect(status.last_step_time).toBe(NOW / 1000)

  scheduler.advance(60_000)
  await first.until(({ adapter }) => adapter === 'v00000003')
  expect([first.log.committed, live(), first.daemon.status().lag]).toEqual([9, 'v00000003', { 0: 0 }])
  await first.stop()
  expect(first.daemon.status().state).toBe('stopped')

  const second = start()
  await second.until(({ state, adapter }) => state === 'running' && adapter === 'v00000003')
  second.log.append(records(9, 4))
  await second.until(({ adapter }) => adapter === 'v00000004')
  await second.stop()
  expect(journal().map(({ step }) => step)).toEqual([1, 2, 3, 4])
  expect(trainedIds(journal())).toEqual(voteIds(0, 13))
})

test('the next daemon runs the programs as the lineage began, whatever is set by then', async () => {
  const { start } = place({ 'model.executor': 'graph', 'model.threads': 1, 'model.kernels': 'onednn' })
  const given: WorkerSetup['config']['model'][] = []
  const startLearner: DaemonOptions['startLearner'] = async ({ config }) => {
    given.push(config.model)
    const learner = await startCountingLearner()
    const began = { executor: 'xla', kernels: 'eigen', threads: 3, interOpThreads: 2 } as const
    return { ...learner, info: { ...learner.info, resolved: { ...learner.info.resolved, ...began } } }
  }
  for (let life = 1; life <= 2; life++) {
    const daemon = start(undefined, { startLearner })
    await daemon.until(({ state }) => state === 'running')
    await daemon.stop()
  }
  expect(given[0]).toMatchObject({ executor: 'graph', kernels: 'onednn', threads: 1, interOpThreads: 0 })
  expect(given[1]).toMatchObject({ executor: 'xla', kernels: 'eigen', threads: 3, interOpThreads: 2 })
})

test('while training is paused votes wait and none trains; resumed, they do', async () => {
  const { start, scheduler } = place()
  const { daemon, log, until } = start()
  await until(({ state }) => state === 'running')
  daemon.pauseTraining(true)
  log.append(records(0, 8))
  await until(({ waiting }) => waiting === 8)
  scheduler.advance(60_000)
  expect(await daemon.checkpoint()).toEqual({ step: 0, adapter: null })
  expect(daemon.status()).toMatchObject({ step: 0, waiting: 8, training_paused: true, paused: false })
  daemon.pauseTraining(false)
  expect(await until(({ adapter }) => adapter === 'v00000002')).toMatchObject({ waiting: 0, training_paused: false })
})

test('a daemon waits as a standby while the group has members, takes no fence, and leads when they are gone', async () => {
  const { start, openLog, scheduler, config } = place()
  const log = openLog()
  log.otherMembers = 1
  const { daemon, until } = start(log)
  await until(({ state }) => state === 'standby')
  expect(verdict(daemon.ready()).failing.map(({ name }) => name)).toEqual(['model', 'assignment', 'running'])
  expect(verdict(daemon.live()).ok).toBe(true)
  const { asked } = log
  scheduler.advance(1_000)
  await until(() => log.asked === asked + 1)
  expect(daemon.status().state).toBe('standby')
  expect(existsSync(join(config.checkpoint.dir, 'fence-00000001'))).toBe(false)
  log.otherMembers = 0
  scheduler.advance(1_000)
  await until(({ state }) => state === 'running')
})

test('a standby that is stopped ends without having written anything', async () => {
  const { start, openLog, config } = place()
  const log = openLog()
  log.otherMembers = 1
  const { stop, until } = start(log)
  await until(({ state }) => state === 'standby')
  await stop()
  expect(existsSync(join(config.checkpoint.dir, 'fence-00000001'))).toBe(false)
})

test('a partition that the topic got and the group has not assigned makes the daemon unready', async () => {
  const { start } = place()
  const { daemon, log, until } = start()
  await until(({ state }) => state === 'running')
  expect(daemon.status().ready).toBe(true)
  log.hooks?.grown?.(2)
  expect(verdict(daemon.ready())).toEqual({
    ok: false,
    failing: [{ name: 'assignment', detail: '1 of 2 partitions' }],
  })
  expect(daemon.status()).toMatchObject({ ready: false, state: 'running', partitions: [0] })
})

test('letters that the disk does not take pause reading; a later look offers them again, and reading resumes', async () => {
  const { start, openLog, scheduler, config } = place({ 'limits.maxRecordBytes': '1MiB' })
  const log = openLog()
  log.letters = null
  const { until } = start(log)
  await until(({ state }) => state === 'running')
  // where letters are kept beyond 4 MiB of memory
  const letters = join(config.checkpoint.dir, 'letters')
  rmSync(letters, { recursive: true, force: true })
  writeFileSync(letters, '')
  log.append(Array.from({ length: 6 }, () => junk(1.2 * MIB)))
  await until(({ paused, state }) => paused && state === 'paused')
  scheduler.advance(1_000)
  await until(({ paused }) => paused)
  rmSync(letters)
  mkdirSync(letters, { mode: 0o700 })
  scheduler.advance(1_000)
  await until(({ paused, state }) => !paused && state === 'running')
})

test('a held vote trains once a look at the log shows that its window has passed without another', async () => {
  const { start, scheduler, journal } = place({ 'stream.holdBack': '10s', 'batch.size': 1 })
  const { log, until } = start()
  await until(({ state }) => state === 'running')
  log.append(records(0, 1))
  await until(({ held_back }) => held_back === 1)
  scheduler.advance(9_000)
  await until(({ held_back, step }) => held_back === 1 && step === 0)
  scheduler.advance(4_000)
  await until(({ adapter }) => adapter === 'v00000001')
  expect(trainedIds(journal())).toEqual(voteIds(0, 1))
})

test('dead letters alone move the positions: the timed checkpoint keeps them, as a revision', async () => {
  const { start, scheduler, config } = place({ 'checkpoint.every': '30s' })
  const { daemon, log, until, stop } = start()
  await until(({ state }) => state === 'running')
  // the first one, of the initial adapter
  expect(await daemon.checkpoint()).toEqual({ step: 0, adapter: null })
  log.append([junk(10), junk(20)])
  await until(() => log.letters?.length === 2)
  await until(({ dead_letters_waiting }) => dead_letters_waiting === 0)
  expect(log.committed).toBe(0)
  scheduler.advance(30_000)
  await until(() => log.committed === 2)
  expect(existsSync(join(config.checkpoint.dir, 'step-00000000.r0001'))).toBe(true)
  expect(log.letters?.map(({ code }) => code)).toEqual(['FEEDBACK_NOT_JSON', 'FEEDBACK_NOT_JSON'])
  await stop()
})

test('a stop that the learner holds up ends with STOP_OVERDUE, and the votes train in the next life', async () => {
  const { start, openLog, scheduler, journal } = place()
  const log = openLog()
  let isStuck = false
  const { daemon, running, until } = start(log, {
    async startLearner() {
      const learner = await startCountingLearner()
      const call: typeof learner.call = (name, ...args) => {
        if (name !== 'trainStep') return learner.call(name, ...args)
        isStuck = true
        return new Promise(() => undefined)
      }
      return { ...learner, call }
    },
  })
  let reached = ''
  await until(({ state }) => state === 'running')
  log.append(records(0, 4))
  await until(() => isStuck)
  const asked = daemon.checkpoint()
  asked.catch((error: unknown) => {
    reached = String((error as { code?: string }).code)
  })
  daemon.stop()
  await until(({ state }) => state === 'draining')
  scheduler.advance(25_000)
  await expect(running).rejects.toMatchObject({ code: 'STOP_OVERDUE' })
  expect([daemon.status().state, reached]).toEqual(['failed', 'NOT_RUNNING'])
  const next = start()
  await next.until(({ adapter }) => adapter === 'v00000001')
  expect(trainedIds(journal())).toEqual(voteIds(0, 4))
})
