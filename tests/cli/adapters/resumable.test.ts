import { rmSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { takeFence } from '../../../src/checkpoint/fence.js'
import { CheckpointStore } from '../../../src/checkpoint/store.js'
import { adaptersCommand } from '../../../src/cli/adapters.js'
import { sampleSnapshot, temporaryDirectory } from '../../support/checkpoints.js'
import { addLive, registryIn } from '../../support/registry.js'
import { stdoutOf } from '../capture.js'

/** Versions 1, 2 and 3, live in turn, each with its checkpoint; `run` has both directories, `lost` damages one. */
async function place() {
  const root = temporaryDirectory()
  const { directory, registry } = registryIn(join(root, 'adapters'))
  const checkpoints = join(root, 'checkpoints')
  takeFence(checkpoints)
  const store = new CheckpointStore(checkpoints, { keep: 9 })
  for (const step of [1, 2, 3]) {
    await store.write(sampleSnapshot(step))
    await addLive(registry, step)
  }
  const without = (...args: string[]) => stdoutOf(adaptersCommand(), ...args, '--adapters', directory)
  const run = (...args: string[]) => without(...args, '--set', `checkpoint.dir=${checkpoints}`)
  const lost = (step: number) => rmSync(join(checkpoints, `step-0000000${step}`), { recursive: true })
  const shortened = (step: number) =>
    truncateSync(join(checkpoints, `step-0000000${step}`, 'trainer_state.safetensors'), 1)
  return { run, without, lost, shortened }
}

const resumeColumn = (table: string) =>
  table.split('\n').flatMap((row) => /(yes|no|–) +[\d–]+\/[\d–]+ /.exec(row)?.[1] ?? [])

it('list and show say from which versions learning can go on, before anybody rolls back', async () => {
  const { run, lost, shortened } = await place()
  expect(resumeColumn(await run('list'))).toEqual(['yes', 'yes', 'yes'])
  expect(await run('show', 'live')).toMatch(/^resume +yes$/m)
  lost(1)
  shortened(2)
  expect(resumeColumn(await run('list'))).toEqual(['no', 'no', 'yes'])
  expect(JSON.parse(await run('list', '--json'))).toMatchObject([
    ...[{ resumable: false }, { resumable: false }, { resumable: true }],
  ])
  expect(await run('show', 'v00000001')).toMatch(/^resume +no: there is no checkpoint of step 1$/m)
  expect(await run('show', 'previous')).toMatch(
    /^resume +no: step-00000002: CHECKPOINT_DAMAGED .*trainer_state\.safetensors: expected \d+ bytes, got 1$/m,
  )
  expect(JSON.parse(await run('show', 'live', '--json'))).toMatchObject({ resumable: true, resumable_problem: null })
})

it('without the checkpoints nobody knows, and it says how to find out', async () => {
  const { without } = await place()
  const listed = await without('list')
  expect(resumeColumn(listed)).toEqual(['–', '–', '–'])
  expect(listed).toMatch(/\nresume is not known: name the configuration that has checkpoint\.dir\n$/)
  expect(JSON.parse(await without('show', 'live', '--json'))).toMatchObject({ resumable: null })
  expect(await without('rollback')).toContain(
    'Whether the checkpoint of v00000002 is whole is not known: name the configuration that has checkpoint.dir.',
  )
})

it('a rollback offers to go on from the version that is live then', async () => {
  const { run } = await place()
  const offer = `Nothing is published or learnt until you resume. Look for the cause first. Then go on:
  bcod adapters resume --from v00000002  with what that version had learnt
  bcod adapters resume --keep            with all that was learnt
`
  expect(await run('rollback')).toMatch(new RegExp(`\n\n${offer}$`))
  expect(await run('list')).toMatch(new RegExp(`\n\n${offer}$`))
})

it('if that has no whole checkpoint, a rollback offers an older one, and says what to do', async () => {
  const { run, shortened } = await place()
  shortened(2)
  const told = await run('rollback')
  expect(told).toContain('  bcod adapters resume --from v00000001  with what that version had learnt\n')
  expect(told).not.toContain('resume --from v00000002 ')
  expect(told).toMatch(/cannot go on from v00000002 itself: no checkpoint of it is whole .*\n.*from a backup/)
  await expect(run('resume', '--from', 'live')).rejects.toMatchObject({ code: 'ADAPTER_NOT_RESUMABLE' })
  expect(await run('resume', '--from', 'v00000001')).toMatch(/the daemon goes on from v00000001 at its next look\n$/)
})

it('if none is left, a rollback offers only to keep what was learnt', async () => {
  const { run, lost } = await place()
  for (const step of [1, 2, 3]) lost(step)
  expect(JSON.parse(await run('rollback', '--json'))).toMatchObject({ live: 'v00000002', frozen: true, resumable: [] })
  expect(await run('list')).toMatch(
    /Then go on:\n {2}bcod adapters resume --keep {2}with all that was learnt\nLearning cannot/,
  )
})

it('versions that were rolled back are not offered', async () => {
  const { run, lost } = await place()
  lost(1)
  expect(JSON.parse(await run('rollback', '--to', 'v00000001', '--json'))).toMatchObject({ resumable: [] })
})
