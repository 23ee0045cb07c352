import { expect, test } from 'vitest'
import { takeFence } from '../../../src/checkpoint/fence.js'
import { CheckpointStore } from '../../../src/checkpoint/store.js'
import { adapterVerbs } from '../../../src/daemon/adapters/adapter-verbs.js'
import { Accepted } from '../../../src/server/admin.js'
import { sampleSnapshot, temporaryDirectory } from '../../support/checkpoints.js'
import { added, addLive, passGate, registryIn } from '../../support/registry.js'

/** Versions 1 and 2 live in turn, 3 the candidate. */
async function place() {
  const { registry } = registryIn(undefined, { by: 'admin' })
  for (const step of [1, 2]) await addLive(registry, step)
  await added(registry, 3)
  const looks: number[] = []
  const moved = async () => {
    looks.push((await registry.current()).generation)
  }
  const gated: string[] = []
  const report = {
    version: 'v00000003',
    parent: null,
    started: '',
    seconds: 1,
    outcome: 'refused' as const,
    checks: [],
  }
  const gate = async (version: string) => {
    gated.push(version)
    return version === 'v00000003' ? report : null
  }
  const compare = async (a: string, b: string) => ({ margins: [], answers: null, left_out: [a, b] })
  const root = temporaryDirectory()
  takeFence(root)
  const checkpoints = new CheckpointStore(root)
  await checkpoints.write(sampleSnapshot(1))
  const verbs = adapterVerbs({ registry, keep: 1, served: () => [], gate, compare, checkpoints, moved })
  const ask = (verb: string, body: unknown = null) => verbs[`adapters/${verb}`]!(body)
  return { registry, ask, looks, gated, report }
}

test('versions are listed, shown and compared', async () => {
  const { ask } = await place()
  expect(await ask('list')).toMatchObject({
    ...{ generation: 5, live: 'v00000002', previous: 'v00000001', candidate: 'v00000003', frozen: false, pinned: null },
    versions: [
      ...[
        { version: 'v00000001', resumable: true },
        { version: 'v00000002', resumable: false },
      ],
      { version: 'v00000003', resumable: false },
    ],
  })
  expect(await ask('show', { version: 'candidate' })).toMatchObject({
    ...{ version: 'v00000003', steps: [3, 3], gate: null },
    ...{ resumable: false, resumable_problem: 'there is no checkpoint of step 3' },
  })
  expect(await ask('diff', { version: 'live', other: 'live' })).toMatchObject({
    ...{ versions: ['v00000002', 'v00000002'], total: { difference: 0 } },
    ...{ margins: [], answers: null, left_out: ['v00000002', 'v00000002'] },
  })
  expect(await ask('diff', { version: 'live', other: 'live', weights: true })).not.toHaveProperty('margins')
})

test('each move answers with what holds, and the daemon looks at once', async () => {
  const { registry, ask, looks } = await place()
  await expect(ask('promote', { version: 'candidate' })).rejects.toMatchObject({ code: 'ADAPTER_UNGATED' })
  await passGate(registry, 'v00000003')
  expect(await ask('promote', { version: 'candidate', generation: 5 })).toMatchObject({ live: 'v00000003' })
  await expect(ask('rollback', { generation: 5 })).rejects.toMatchObject({ code: 'ADAPTER_MOVED' })
  expect(await ask('rollback')).toMatchObject({
    ...{ live: 'v00000002', previous: 'v00000001', frozen: true, resumable: ['v00000001'] },
  })
  expect(await ask('rollback', { to: 'previous' })).toMatchObject({ live: 'v00000001', frozen: true })
  expect(await ask('resume', { keep: true })).toMatchObject({ frozen: false })
  expect(await ask('pin', { version: 'live' })).toMatchObject({ pinned: 'v00000001' })
  expect(await ask('pin', { off: true })).toMatchObject({ pinned: null })
  expect(looks).toEqual([6, 7, 8, 9, 10, 11])
  expect(await ask('gc', { dry_run: true, loaded: ['v00000002'] })).toEqual({ removed: [], dry_run: true })
  expect(await ask('gc', {})).toEqual({ removed: ['v00000002'], dry_run: false })
  expect(await registry.current()).toMatchObject({ by: 'admin', cause: 'removed' })
})

test('a gate answers with its report, or, if that takes long, says where it will be; nothing moves', async () => {
  const { ask, gated, report, looks } = await place()
  expect(await ask('gate', { version: 'candidate' })).toEqual(report)
  expect(await ask('gate', { version: 'live' })).toEqual(
    new Accepted({ version: 'v00000002', report: 'adapters/show' }),
  )
  await expect(ask('gate', { version: 'v00000009' })).rejects.toMatchObject({ code: 'ADAPTER_UNKNOWN' })
  expect([gated, looks]).toEqual([['v00000003', 'v00000002'], []])
})

test('resume from a version asks for it, and moves nothing if its checkpoint is gone', async () => {
  const { registry, ask } = await place()
  await expect(ask('resume', { from: 'live' })).rejects.toMatchObject({ code: 'ADAPTER_NOT_RESUMABLE' })
  expect(await registry.current()).toMatchObject({ generation: 5, frozen: false })
  expect(await ask('resume', { from: 'previous' })).toMatchObject({ frozen: true, resume_from: 'v00000001' })
  expect(await registry.current()).toMatchObject({ resumeFrom: { version: 'v00000001', generation: 6 } })
  expect(await ask('resume', { keep: true })).not.toHaveProperty('resume_from')
})

test.each([
  ['show', {}, 'expected version'],
  ['gate', {}, 'expected version'],
  ['show', { version: 3 }, 'version has the wrong type'],
  ['promote', { version: 'live', Force: true }, 'unknown field "Force"'],
  ['promote', { version: 'live', force: 'yes' }, 'force has the wrong type'],
  ['promote', { version: 'live', generation: 1.5 }, 'generation has the wrong type'],
  ['rollback', { to: null }, 'to has the wrong type'],
  ['rollback', ['v00000001'], 'the body is not a JSON object'],
  ['resume', {}, 'expected keep: true, or from'],
  ['resume', { keep: true, from: 'live' }, 'expected keep: true, or from'],
  ['pin', {}, 'expected version, or off: true'],
  ['pin', { version: 'live', off: true }, 'expected version, or off: true'],
  ['gc', { loaded: 'v00000001' }, 'loaded has the wrong type'],
  ['diff', { version: 'live' }, 'expected other'],
])('%s with %j is refused, and nothing moves', async (verb, body, message) => {
  const { registry, ask, looks } = await place()
  await expect(ask(verb, body)).rejects.toMatchObject({ code: 'USAGE', message })
  expect((await registry.current()).generation).toBe(5)
  expect(looks).toEqual([])
})

test('names that are no versions are unknown, whatever they are', async () => {
  const { ask } = await place()
  for (const version of ['../v00000001', 'moves', '__proto__', 'toString', '', 'v00000009'])
    await expect(ask('promote', { version, force: true })).rejects.toMatchObject({ code: 'ADAPTER_UNKNOWN' })
})
