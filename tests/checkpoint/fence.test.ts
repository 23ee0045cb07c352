import { execFile } from 'node:child_process'
import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { assertFence, highestFence, holderHasEnded, takeFence } from '../../src/checkpoint/fence.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { errorOf, sampleSnapshot, temporaryDirectory } from '../support/checkpoints.js'

it('numbers are taken one above the other, in a directory of the owner alone', () => {
  const directory = join(temporaryDirectory(), 'new', 'deep')
  expect([takeFence(directory), takeFence(directory), takeFence(directory)]).toEqual([1, 2, 3])
  expect(readdirSync(directory)).toEqual(['fence-00000003'])
  expect(statSync(directory).mode & 0o777).toBe(0o700)
})

it('the holder passes until a higher fence is taken', async () => {
  const directory = temporaryDirectory()
  const mine = takeFence(directory)
  assertFence(directory, mine)
  const other = takeFence(directory)
  const error = await errorOf(() => assertFence(directory, mine))
  expect(error.line).toBe(`FENCED ${directory}: this writer holds fence 1, fence 2 was taken`)
  assertFence(directory, other)
})

it('a writer whose fence file was deleted stops', async () => {
  const directory = temporaryDirectory()
  const mine = takeFence(directory)
  rmSync(join(directory, 'fence-00000001'))
  expect((await errorOf(() => assertFence(directory, mine))).code).toBe('FENCED')
})

it('a fence goes above those of checkpoints that came back without fence files', async () => {
  const directory = temporaryDirectory()
  for (let i = 0; i < 4; i++) takeFence(directory)
  await new CheckpointStore(directory).write(sampleSnapshot(0, { fence: 4 }))
  rmSync(join(directory, 'fence-00000004'))
  expect(highestFence(directory)).toBe(0)
  expect(takeFence(directory)).toBe(5)
})

it('a number that another process takes in the same moment is not taken twice', async () => {
  const directory = temporaryDirectory()
  // Exclusive creation in shells of their own, the same system call: each loops over numbers as a daemon would.
  const script =
    'set -C; for i in $(seq 1 40); do f=$(printf "fence-%08d" $i); { echo x > "$f"; } 2>/dev/null; done; true'
  const others = [1, 2].map(() => promisify(execFile)('bash', ['-c', script], { cwd: directory }))
  const taken: number[] = []
  while (taken.length < 200) {
    taken.push(takeFence(directory))
    if (taken.length % 20 === 0) await new Promise(setImmediate)
  }
  await Promise.all(others)
  expect(new Set(taken).size).toBe(taken.length)
  expect(taken).toEqual(taken.toSorted((a, b) => a - b))
})

it('a directory that cannot be made is a coded error', async () => {
  const file = join(temporaryDirectory(), 'file')
  writeFileSync(file, '')
  expect((await errorOf(() => takeFence(join(file, 'below')))).code).toBe('CHECKPOINT_IO')
  expect((await errorOf(() => assertFence(join(file, 'none'), 1))).code).toBe('CHECKPOINT_IO')
})

it('a holder has ended where its process on this host has, and where that cannot be told it may live', async () => {
  const directory = temporaryDirectory()
  expect(holderHasEnded(directory)).toBe(false)
  const fence = join(directory, 'fence-00000001')
  const held = (by: object) => writeFileSync(fence, JSON.stringify({ host: hostname(), ...by }))
  held({ pid: process.ppid })
  expect(holderHasEnded(directory)).toBe(false)
  const { stdout } = await promisify(execFile)('bash', ['-c', 'echo $$'])
  held({ pid: Number(stdout) })
  expect(holderHasEnded(directory)).toBe(true)
  // a container's process has the same id after a restart
  held({ pid: process.pid })
  expect(holderHasEnded(directory)).toBe(true)
  held({ pid: Number(stdout), host: 'elsewhere' })
  expect(holderHasEnded(directory)).toBe(false)
  writeFileSync(fence, 'no json')
  expect(holderHasEnded(directory)).toBe(false)
})
