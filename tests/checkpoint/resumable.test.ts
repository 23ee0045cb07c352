import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { resumableVersions } from '../../src/checkpoint/resumable.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { errorOf, sampleSnapshot, temporaryDirectory } from '../support/checkpoints.js'

const VERSIONS = ['v00000001', 'v00000002', 'v00000003']

/** A store with a checkpoint of steps 1 and 2, and the path of a file of one of them. */
async function place() {
  const directory = temporaryDirectory()
  takeFence(directory)
  const store = new CheckpointStore(directory, { keep: 9 })
  for (const step of [1, 2]) await store.write(sampleSnapshot(step))
  const fileOf = (step: number, name: string) => join(directory, `step-0000000${step}`, name)
  return { directory, store, fileOf, resumable: async () => [...(await resumableVersions(directory, VERSIONS))] }
}

it('learning can go on from the versions whose checkpoint is there', async () => {
  const { directory, resumable } = await place()
  expect(await resumable()).toEqual(['v00000001', 'v00000002'])
  expect((await resumableVersions(directory, ['v00000002', 'live'])).size).toBe(1)
  expect((await resumableVersions(join(directory, 'none'), VERSIONS)).size).toBe(0)
})

it('not from one whose checkpoint lacks a file, has a shorter or longer one, or another manifest', async () => {
  for (const harm of [
    (path: (name: string) => string) => rmSync(path('trainer_state.safetensors')),
    (path: (name: string) => string) => truncateSync(path('adapter_model.safetensors'), 10),
    (path: (name: string) => string) => appendFileSync(path('pending.bin'), 'x'),
    (path: (name: string) => string) => rmSync(path('MANIFEST.json')),
    (path: (name: string) => string) => {
      const text = readFileSync(path('MANIFEST.json'), 'utf8')
      writeFileSync(path('MANIFEST.json'), text.replace('"format"', '"formats"'))
    },
  ]) {
    const { store, fileOf, resumable } = await place()
    harm((name) => fileOf(1, name))
    expect(await resumable(), String(harm)).toEqual(['v00000002'])
    expect((await errorOf(() => store.wholeOfStep(1))).code).toBe('ADAPTER_NOT_RESUMABLE')
    expect((await store.wholeOfStep(2)).name).toBe('step-00000002')
  }
})

it('a changed byte is found by reading the contents, with the file in the message', async () => {
  const { store, fileOf, resumable } = await place()
  const path = fileOf(2, 'trainer_state.safetensors')
  const bytes = readFileSync(path)
  bytes[bytes.length - 1]! ^= 1
  writeFileSync(path, bytes)
  expect(await resumable()).toEqual(['v00000001', 'v00000002'])
  const error = await errorOf(() => store.wholeOfStep(2))
  expect(error.code).toBe('ADAPTER_NOT_RESUMABLE')
  expect(error.message).toMatch(/^step-00000002: CHECKPOINT_DAMAGED .*trainer_state\.safetensors: expected sha256 /)
})

it('a later checkpoint of the step does as well', async () => {
  const { store, fileOf, resumable } = await place()
  await store.write(sampleSnapshot(2, { revision: 1 }))
  rmSync(fileOf(2, 'state.json'))
  expect(await resumable()).toEqual(['v00000001', 'v00000002'])
  expect((await store.wholeOfStep(2)).name).toBe('step-00000002.r0001')
  expect((await store.ofStep(2)).snapshot.revision).toBe(1)
})

it('says so if the directory cannot be read', async () => {
  const { fileOf } = await place()
  const error = await errorOf(() => resumableVersions(fileOf(1, 'state.json'), VERSIONS))
  expect(error.line).toMatch(/^CHECKPOINT_IO .*state\.json: cannot be read \(ENOTDIR\)$/)
})
