import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { deviceOf } from '../../../src/engine/cluster/definitions.js'
import { writeTasks } from '../../support/cluster-graph.js'
import { freePorts, startServer } from '../../support/worker-process.js'

const directory = mkdtempSync(join(tmpdir(), 'bcod-leader-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/**
 * Runs an output of the worker under a leader of its own.
 * @param onStart  called when it has begun
 * @param more     of leader.mjs
 */
async function lead(
  ports: readonly number[],
  output: string,
  onStart: (leader: ChildProcess) => void = () => {},
  more: readonly string[] = [],
) {
  const graph = writeTasks(directory, [deviceOf(0, 'CPU:0'), deviceOf(1, 'CPU:0')])
  const args = ['tests/support/leader.mjs', graph, String(ports[0]), `127.0.0.1:${ports[1]}`, output, ...more]
  const leader = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  leader.stdout.on('data', (data) => {
    text += data
    if (text === 'started\n') setTimeout(() => onStart(leader), 500)
  })
  const [code, signal] = await once(leader, 'close')
  return { text, code, signal }
}

const worked = { text: 'started\n5 6\n', code: 0, signal: null }

test('a leader that is killed in the middle of a run finds the worker as it was', async () => {
  const ports = await freePorts(2)
  await startServer(ports[1]!)
  expect(await lead(ports, 'take1', (leader) => leader.kill('SIGKILL'))).toMatchObject({ signal: 'SIGKILL' })
  expect(await lead(ports, 'echo1')).toEqual(worked)
})

test('a leader whose worker was suspended before it heard of the run gives the run up, and ends', async () => {
  const ports = await freePorts(2)
  const server = await startServer(ports[1]!)
  const suspended = await lead(ports, 'take1', () => {}, ['2000', String(server.pid)])
  expect(suspended).toEqual({ text: 'started\nWORKER_TIMEOUT\n', code: 0, signal: null })
})

test('a leader that has lost its worker for good ends all the same, and the next works with a new one', async () => {
  const ports = await freePorts(2)
  const server = await startServer(ports[1]!)
  const lost = await lead(ports, 'take1', () => process.kill(server.pid!, 'SIGKILL'))
  expect(lost).toEqual({ text: 'started\nWORKER_LOST\n', code: 0, signal: null })
  await startServer(ports[1]!)
  expect(await lead(ports, 'echo1')).toEqual(worked)
})
