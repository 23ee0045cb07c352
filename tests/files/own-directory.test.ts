import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { takeRegistry } from '../../src/adapters/storage/take-registry.js'
import { takeFence } from '../../src/checkpoint/fence.js'
import { Journal } from '../../src/checkpoint/journal.js'
import { removeTemporary } from '../../src/checkpoint/retention.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { assertOwn, clearWork, takeDirectory, WORK } from '../../src/files/own-directory.js'
import { errorOf, sampleSnapshot, temporaryDirectory } from '../support/checkpoints.js'
import { added, addLive, registryIn } from '../support/registry.js'

const take = (directory: string, besides: readonly string[] = []) => takeDirectory(directory, { mode: 0o700, besides })

/** Somebody's own things, under names that come near to ours. */
function othersThings(directory: string): void {
  for (const name of ['tmp-thesis', 'tmp-step-notes', 'removed-photos']) {
    mkdirSync(join(directory, name), { recursive: true })
    writeFileSync(join(directory, name, 'thesis.tex'), 'years of work')
  }
  writeFileSync(join(directory, 'tmp-notes.txt'), 'note')
  writeFileSync(join(directory, 'tmp-journal-tail.txt'), 'note')
  symlinkSync('/nowhere', join(directory, 'tmp-root'))
}

function everything(directory: string): readonly string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !name.startsWith(WORK))
    .sort()
}

it.each([
  ['a folder', (directory: string) => mkdirSync(join(directory, 'tmp-thesis'), { recursive: true })],
  ['a file', (directory: string) => writeFileSync(join(directory, 'notes.txt'), '')],
  ['a journal of somebody else', (directory: string) => writeFileSync(join(directory, 'journal.jsonl'), '{}')],
  ['a folder named as a version', (directory: string) => mkdirSync(join(directory, 'v00000001'))],
  ['a folder named as a checkpoint', (directory: string) => mkdirSync(join(directory, 'step-00000001'))],
  ['a file named as the mark', (directory: string) => writeFileSync(join(directory, WORK), '')],
  ['a link named as the mark', (directory: string) => symlinkSync('/proc/self/fdinfo', join(directory, WORK))],
  [
    'a link named as a checkpoint',
    (directory: string) => symlinkSync('/proc/self/fdinfo', join(directory, 'step-00000001')),
  ],
  ['what a mounted ConfigMap has', (directory: string) => mkdirSync(join(directory, '..data'))],
])('a directory that holds %s is refused, and nothing in it changes', async (_, put) => {
  const directory = temporaryDirectory()
  put(directory)
  const before = everything(directory)
  for (const refused of [
    () => assertOwn(directory),
    () => take(directory),
    () => takeRegistry(directory),
    () => added(registryIn(directory).registry, 1),
  ]) {
    const error = await errorOf(async () => refused())
    expect([error.code, error.place]).toEqual(['DIRECTORY_FOREIGN', directory])
  }
  expect(everything(directory)).toEqual(before)
})

it('the error names one of the things and counts the rest', async () => {
  const directory = temporaryDirectory()
  for (const name of ['a.txt', 'b\u001b[31m', 'c']) writeFileSync(join(directory, name), '')
  expect((await errorOf(async () => take(directory))).message).toMatch(
    /^"(a\.txt|c|b\\u001b\[31m)" and 2 more in it is not/,
  )
})

it('an empty directory is taken, one that is not there is made, and each stays taken', () => {
  const directory = join(temporaryDirectory(), 'a', 'b')
  expect(take(directory)).toBe(join(directory, WORK))
  writeFileSync(join(directory, 'README'), 'what this is')
  expect(take(directory)).toBe(join(directory, WORK))
})

it('what volumes come with is not in the way, nor the other directory within it', () => {
  const directory = temporaryDirectory()
  for (const name of ['lost+found', '.snapshot', 'adapters']) mkdirSync(join(directory, name))
  writeFileSync(join(directory, '.nfs0000000123'), '')
  expect(() => assertOwn(directory)).toThrow(/"adapters"/)
  expect(take(directory, [join(directory, 'adapters')])).toBe(join(directory, WORK))
})

it('directories that versions before the mark wrote are taken with all that a crash left in them', async () => {
  const checkpoints = temporaryDirectory()
  const store = new CheckpointStore(checkpoints)
  const fence = takeFence(checkpoints)
  await store.write(sampleSnapshot(1, { fence }))
  await (await Journal.open(checkpoints, fence, null)).close()
  const registry = temporaryDirectory()
  for (const step of [1, 2]) await addLive(registryIn(registry).registry, step)
  for (const directory of [checkpoints, registry]) rmSync(join(directory, WORK), { recursive: true })
  for (const name of ['tmp-step-00000002-1', 'tmp-removed-step-00000000']) mkdirSync(join(checkpoints, name))
  writeFileSync(join(checkpoints, 'journal.tail-1.jsonl'), '')
  mkdirSync(join(registry, 'tmp-v00000003-17'))
  symlinkSync('v00000003', join(registry, 'tmp-live-17'))
  const before = [everything(checkpoints), everything(registry)]
  take(checkpoints)
  await takeRegistry(registry)
  await removeTemporary(checkpoints)
  await registryIn(registry).registry.gc(20)
  expect([everything(checkpoints), everything(registry)]).toEqual(before)
  expect((await store.latest())?.snapshot.step).toBe(1)
})

it('what lies beside our things in a directory of ours is never removed or overwritten', async () => {
  const directory = temporaryDirectory()
  const fence = takeFence(directory)
  const store = new CheckpointStore(directory, { keep: 1 })
  await store.write(sampleSnapshot(0, { fence }))
  othersThings(directory)
  // of the names that are ours, without what makes it a checkpoint or a version
  for (const name of ['step-00000001', 'v00000001']) {
    mkdirSync(join(directory, name))
    writeFileSync(join(directory, name, 'theirs'), 'x')
  }
  const others = everything(directory).filter((name) => !name.startsWith('step-00000000'))
  for (const step of [5, 6, 7]) await store.write(sampleSnapshot(step, { fence }))
  writeFileSync(join(directory, 'journal.jsonl'), 'a tail')
  await (await Journal.open(directory, fence, null)).close()
  const { registry } = registryIn(directory)
  for (const step of [5, 6, 7]) await addLive(registry, step)
  await registry.gc(1)
  await removeTemporary(directory)
  const left = new Set(everything(directory))
  expect(others.filter((name) => !left.has(name))).toEqual([])
  expect(readFileSync(join(directory, 'tmp-thesis', 'thesis.tex'), 'utf8')).toBe('years of work')
  expect([existsSync(join(directory, 'v00000005')), existsSync(join(directory, 'step-00000005'))]).toEqual([
    false,
    false,
  ])
})

it('clearing follows no links, and without a mark there is nothing to clear', async () => {
  const elsewhere = temporaryDirectory()
  othersThings(elsewhere)
  const before = everything(elsewhere)
  await clearWork(elsewhere)
  await registryIn(elsewhere).registry.gc(1)
  expect(everything(elsewhere)).toEqual(before)
  const directory = temporaryDirectory()
  symlinkSync(elsewhere, join(take(directory), 'link'))
  await clearWork(directory)
  expect(readdirSync(join(directory, WORK))).toEqual([])
  expect(everything(elsewhere)).toEqual(before)
})
