import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { workerFailure } from '../../../src/engine/cluster/failure.js'
import { Leader } from '../../../src/engine/cluster/leader.js'
import { probeWorker } from '../../../src/engine/cluster/probe.js'
import { type Feed, type RunHandle, sessions } from '../../../src/engine/tensorflow.js'
import type { ServerProcess } from '../../../src/worker/server-process.js'
import { taskGraph, writeTasks } from '../../support/cluster-graph.js'
import { LOOPBACK, listeningAt } from '../../support/listening.js'
import { freePorts, IDENTITY, startServer } from '../../support/worker-process.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-cluster-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** TensorFlow cannot end a server, so all tests have this one. */
let leader: Leader
let leaderPort: number
beforeAll(async () => {
  ;[leaderPort] = (await freePorts(1)) as [number]
  leader = Leader.serve({ address: '127.0.0.1', port: leaderPort, threads: 1, interOpThreads: 1, places: 3 })
})

/** A session over the leader and these workers. */
function open(workers: readonly string[], timeout = 60_000) {
  const { target, config, device } = leader.session(workers, timeout)
  const path = writeTasks(
    directory,
    [leader, ...workers].map((_, task) => device(task, 'CPU:0')),
  )
  const session = sessions.load(path, target, config)
  let isOpen = true
  const close = () => {
    if (isOpen) sessions.close(session)
    isOpen = false
  }
  onTestFinished(close)
  const feed = (task: number, ...values: number[]): Feed => ({
    ...{ name: `in${task}:0`, shape: [values.length], values: Float32Array.from(values) },
  })
  const extend = (task: number, name: string, op: string, inputs: readonly string[]) => {
    const graph = taskGraph(
      device(task, 'CPU:0'),
      `${name}${task}`,
      op,
      inputs.map((input) => `${input}${task}`),
    )
    sessions.extend(
      session,
      graph,
      inputs.map((input) => `${input}${task}`),
    )
  }
  const start = (task: number, name: string, ...values: number[]): RunHandle =>
    sessions.start(session, values.length === 0 ? [] : [feed(task, ...values)], [`${name}${task}:0`])
  const wait = (run: RunHandle) => [...(sessions.wait(run)[0] as Float32Array)]
  return { extend, start, wait, close, run: (...args: Parameters<typeof start>) => wait(start(...args)) }
}

async function startWorkers(count: number) {
  const ports = await freePorts(count)
  const servers = await Promise.all(ports.map((port) => startServer(port)))
  return ports.map((port, i) => ({ port, address: `127.0.0.1:${port}`, server: servers[i] as ServerProcess }))
}

/** The error of what a run throws, as one of its worker; its place is the worker's. */
function failureOf(run: () => unknown, place: string) {
  try {
    run()
  } catch (error) {
    return workerFailure(error, place) ?? error
  }
  return null
}

/** Waiting blocks this thread, so a signal comes from elsewhere. */
function signalSoon(server: ServerProcess, signal: string): void {
  spawn('sh', ['-c', `sleep 0.3; kill -${signal} ${server.pid}`], { stdio: 'ignore' })
}

test('leader and workers listen at the one address that they were given', async () => {
  const [worker] = await startWorkers(1)
  const [port] = (await freePorts(1, '::1')) as [number]
  await startServer(port, { host: '::1' })
  for (const each of [leaderPort, worker!.port, port]) {
    const addresses = listeningAt(each)
    expect(addresses.length).toBe(1)
    expect(LOOPBACK).toContain(addresses[0])
  }
})

test('values go to each worker and come back, and stay in its variables', async () => {
  const workers = await startWorkers(2)
  const { run } = open(workers.map(({ address }) => address))
  for (const task of [0, 1, 2]) {
    expect(run(task, 'echo', 1.5, task)).toEqual([1.5, task])
    run(task, 'written', task, -task)
  }
  for (const task of [0, 1, 2]) expect(run(task, 'read')).toEqual([task, -task])
})

test('runs at several workers go on at the same time', async () => {
  const workers = await startWorkers(2)
  const { start, wait, run } = open(workers.map(({ address }) => address))
  const taken = [1, 2].map((task) => start(task, 'take'))
  for (const task of [2, 1]) run(task, 'done', task, 7)
  expect(taken.map(wait)).toEqual([
    [1, 7],
    [2, 7],
  ])
})

test('what is added to a session runs at a worker, on its variables, also while another run goes on', async () => {
  const [worker] = await startWorkers(1)
  const { extend, start, wait, run } = open([worker!.address])
  run(1, 'written', 2, 5)
  const taken = start(1, 'take')
  extend(1, 'again', 'ReadVariableOp', ['variable'])
  expect(run(1, 'again')).toEqual([2, 5])
  run(1, 'done', 3)
  expect(wait(taken)).toEqual([3])
  expect(() => extend(1, 'other', 'ReadVariableOp', ['missing'])).toThrow('the graph has no missing1')
  expect(run(1, 'read')).toEqual([2, 5])
})

describe('a worker', () => {
  test('that is killed in the middle of a run loses that run and no other, and a session without it goes on', async () => {
    const workers = await startWorkers(2)
    const addresses = workers.map(({ address }) => address)
    const { start, wait, run, close } = open(addresses)
    run(2, 'written', 5, 6)
    const [lost, other] = [start(1, 'take'), start(2, 'take')]
    signalSoon(workers[0]!.server, 'KILL')
    expect(failureOf(() => wait(lost), addresses[0]!)).toMatchObject({ code: 'WORKER_LOST', place: addresses[0] })
    run(2, 'done', 1, 1)
    expect(wait(other)).toEqual([1, 1])
    expect(run(0, 'echo', 3)).toEqual([3])
    // it waits for the one that is away, and nobody waits for it
    close()
    const rest = open([addresses[1]!])
    expect(rest.run(0, 'echo', 4)).toEqual([4])
    expect(rest.run(1, 'echo', 4)).toEqual([4])
  })

  test('that has restarted is lost to the session that knew it, and new to the next; others keep what they had', async () => {
    const workers = await startWorkers(2)
    const addresses = workers.map(({ address }) => address)
    const first = open(addresses)
    for (const task of [1, 2]) first.run(task, 'written', task, task)
    await workers[0]!.server.stop()
    await startServer(workers[0]!.port)
    expect(failureOf(() => first.run(1, 'read'), addresses[0]!)).toMatchObject({ code: 'WORKER_LOST' })
    first.close()
    const second = open(addresses)
    expect(second.run(2, 'read')).toEqual([2, 2])
    // uninitialised: the run's own error, which would come at any place
    expect(failureOf(() => second.run(1, 'read'), addresses[0]!)).toMatchObject({ code: 'FAILED_PRECONDITION' })
    expect(second.run(1, 'echo', 8)).toEqual([8])
  })

  test('that is suspended fails its run when the time is over, and works in the same session when it goes on', async () => {
    const [worker] = await startWorkers(1)
    const { start, wait, run } = open([worker!.address], 2000)
    run(1, 'echo', 1)
    const stuck = start(1, 'take')
    signalSoon(worker!.server, 'STOP')
    expect(failureOf(() => wait(stuck), worker!.address)).toMatchObject({
      ...{ code: 'WORKER_TIMEOUT', place: worker!.address },
    })
    expect(run(0, 'echo', 2)).toEqual([2])
    process.kill(worker!.server.pid!, 'SIGCONT')
    await expect.poll(() => probeWorker(worker!.address, IDENTITY, 1000)).toHaveLength(1)
    expect(run(1, 'echo', 3)).toEqual([3])
  })
})

describe('before a session is opened, a worker', () => {
  test('that serves says what devices it has', async () => {
    const [worker] = await startWorkers(1)
    const [device, ...others] = await probeWorker(worker!.address, IDENTITY, 5000)
    expect(device).toMatchObject({ type: 'CPU', name: expect.stringMatching(/^\/job:bcod_1_2_3_.*\/device:CPU:0$/) })
    expect(others).toEqual([])
  })

  test('that is another incarnation of itself is told from before', async () => {
    const [worker] = await startWorkers(1)
    const incarnation = async () => (await probeWorker(worker!.address, IDENTITY, 5000))[0]!.incarnation
    const before = await incarnation()
    expect(await incarnation()).toBe(before)
    await worker!.server.stop()
    await startServer(worker!.port)
    expect(await incarnation()).not.toBe(before)
  })

  test('of another version or with another model is refused by name', async () => {
    const [port] = (await freePorts(1)) as [number]
    await startServer(port, { identity: { ...IDENTITY, model: '0'.repeat(64) } })
    const refused = (wanted: Partial<typeof IDENTITY>, message: RegExp) =>
      expect(probeWorker(`127.0.0.1:${port}`, { ...IDENTITY, ...wanted }, 5000)).rejects.toMatchObject({
        ...{ code: 'WORKER_DIFFERS', place: `127.0.0.1:${port}`, message: expect.stringMatching(message) },
      })
    await refused({ version: '1.2.4' }, /bcod 1\.2\.3, the leader is 1\.2\.4/)
    await refused({ model: '1'.repeat(64) }, /model 0{16}, the leader has 1{16}/)
  })

  test('that is suspended or away is unreachable', async () => {
    const [worker] = await startWorkers(1)
    const { address, server } = worker!
    const unreachable = expect.objectContaining({ code: 'WORKER_UNREACHABLE', place: address })
    process.kill(server.pid!, 'SIGSTOP')
    await expect.poll(() => readFileSync(`/proc/${server.pid}/status`, 'utf8')).toMatch(/^State:\s+T/m)
    await expect(probeWorker(address, IDENTITY, 300)).rejects.toEqual(unreachable)
    await server.stop()
    await expect(probeWorker(address, IDENTITY, 5000)).rejects.toEqual(unreachable)
  })
})
