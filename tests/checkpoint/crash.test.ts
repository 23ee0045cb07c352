import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { WORK } from '../../src/files/own-directory.js'
import { sampleSnapshot, temporaryDirectory } from '../support/checkpoints.js'

/** In the order in which they happen when fence 2 writes step 2 over what fence 1 left there. */
const STAGES = [
  'created',
  'adapter_config.json',
  'adapter_model.safetensors',
  'trainer_state.safetensors',
  'pending.bin',
  'state.json',
  'MANIFEST.json',
  'synced',
  'superseded',
  'renamed',
  'durable',
  'retained',
] as const

const isNew = (stage: (typeof STAGES)[number]) => STAGES.indexOf(stage) >= STAGES.indexOf('renamed')

/** Steps 0 and 1 of fence 1, and a step 2 that no restart has seen: the state a second writer begins from. */
async function overtakenLine(): Promise<string> {
  const directory = temporaryDirectory()
  takeFence(directory)
  const store = new CheckpointStore(directory, { keep: 9 })
  for (const step of [0, 1, 2]) await store.write(sampleSnapshot(step))
  rmSync(join(directory, 'step-00000002', 'MANIFEST.json'))
  takeFence(directory)
  return directory
}

/** What a restart finds, and that it can go on from there: the next step is written and is then the newest. */
async function restart(directory: string): Promise<{ step: number; fence: number }> {
  const store = new CheckpointStore(directory)
  const newest = await store.latest({ acceptOlder: true })
  const { step, fence } = newest!.snapshot
  const next = await store.write(sampleSnapshot(step + 1, { fence: takeFence(directory), parent: newest!.ref }))
  expect((await store.latest())?.ref).toEqual(next)
  expect(readdirSync(join(directory, WORK))).toEqual([])
  return { step, fence }
}

describe('a process killed -9 after a stage of a write leaves the checkpoint before it or the new one, whole', () => {
  const build = mkdtempSync(join(tmpdir(), 'bcod-crash-'))
  const root = join(import.meta.dirname, '../..')

  beforeAll(() => {
    const compile = ['--rootDir', root, '--outDir', build, '--noEmit', 'false', '--target', 'ES2022']
    const modules = [
      '--module',
      'nodenext',
      '--lib',
      'es2023',
      '--types',
      'node',
      '--typeRoots',
      join(root, 'node_modules/@types'),
    ]
    const files = ['src/checkpoint/store.ts'].map((file) => join(root, file))
    const tsc = join(root, 'node_modules/.bin/tsc')
    execFileSync(tsc, ['--ignoreConfig', ...compile, ...modules, '--skipLibCheck', ...files], { cwd: build })
    writeFileSync(join(build, 'package.json'), '{"type":"module"}')
    symlinkSync(join(root, 'node_modules'), join(build, 'node_modules'))
    writeFileSync(
      join(build, 'victim.mjs'),
      `import { CheckpointStore } from './src/checkpoint/store.js'
       const [directory, last] = process.argv.slice(2)
       const onStage = (stage) => stage === last && process.kill(process.pid, 'SIGKILL')
       const store = new CheckpointStore(directory, { onStage, keep: 9 })
       const before = await store.load('step-00000001')
       await store.write({ ...before.snapshot, step: 2, fence: 2, parent: before.ref })`,
    )
  })
  afterAll(() => rmSync(build, { recursive: true }))

  it.each(STAGES)('%s', async (stage) => {
    const directory = await overtakenLine()
    const { signal, stderr } = spawnSync(process.execPath, [join(build, 'victim.mjs'), directory, stage])
    expect(`${signal} ${stderr}`).toBe('SIGKILL ')
    expect(await restart(directory)).toEqual(isNew(stage) ? { step: 2, fence: 2 } : { step: 1, fence: 1 })
  })
})

describe('a fault in a stage of a write leaves the checkpoint before it or the new one, and a second try succeeds', () => {
  it.each(STAGES)('%s', async (stage) => {
    const directory = await overtakenLine()
    const seen: string[] = []
    let fault = true
    const onStage = (at: string) => {
      seen.push(at)
      if (fault && at === stage) throw new Error('fault')
    }
    const store = new CheckpointStore(directory, { onStage, keep: 9 })
    const snapshot = sampleSnapshot(2, { fence: 2 })
    const failed = await store.write(snapshot).then(
      () => false,
      () => true,
    )
    expect(failed).toBe(stage !== 'retained')
    expect(seen).toEqual(STAGES.slice(0, STAGES.indexOf(stage) + 1))
    expect(readdirSync(join(directory, WORK))).toEqual([])
    const found = await new CheckpointStore(directory).latest({ acceptOlder: true })
    expect(found?.snapshot.fence).toBe(isNew(stage) ? 2 : 1)
    fault = false
    await store.write(snapshot)
    expect((await new CheckpointStore(directory).latest())?.snapshot).toMatchObject({ step: 2, fence: 2 })
  })
})
