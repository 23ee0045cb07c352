import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { Registry } from '../../../src/adapters/registry/registry.js'
import { errorOf } from '../../support/checkpoints.js'
import { added, addLive, linksOf, passGate, registryIn } from '../../support/registry.js'

const V1 = 'v00000001'
const V2 = 'v00000002'

/** v00000001 is live and v00000002 is the canary. */
async function underTest() {
  const { directory, registry } = registryIn()
  await addLive(registry, 1)
  await added(registry, 2)
  expect(await registry.startCanary(V2, 0.2)).toBe(true)
  return { directory, registry }
}

const holds = async (registry: Registry) => {
  const { aliases, states, arms } = await registry.current()
  return { ...aliases, state: states[V2], trial: arms?.canary ?? null, canaries: arms?.canaries }
}
const armsIn = (directory: string) => {
  const { arms } = JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8'))
  return arms.map(({ name, version, share }: Record<string, unknown>) => [name, version, share])
}

it('a canary has an alias, a link, a state and a share of the users', async () => {
  const { directory, registry } = await underTest()
  expect(await holds(registry)).toEqual({
    ...{ candidate: null, canary: V2, live: V1, previous: null, state: 'canary', canaries: 1 },
    trial: { share: 0.2, started: expect.stringMatching(/^\d{4}-.*Z$/) },
  })
  expect(linksOf(directory)).toEqual({ live: V1, canary: V2 })
  expect(armsIn(directory)).toEqual([
    ['canary', V2, 0.2],
    ['live', V1, 0.8],
  ])
})

it('there is one canary at a time, and none before something is live', async () => {
  const { registry } = await underTest()
  await added(registry, 3)
  expect(await registry.startCanary('v00000003', 0.2)).toBe(false)
  expect((await holds(registry)).canary).toBe(V2)
  const { registry: empty } = registryIn()
  await added(empty, 1)
  expect(await empty.startCanary(V1, 0.2)).toBe(false)
})

it('a canary that is promoted is live for all, and the next one has another slice', async () => {
  const { directory, registry } = await underTest()
  expect(await registry.publish(V2)).toBe(true)
  expect(await holds(registry)).toMatchObject({ canary: null, live: V2, previous: V1, state: 'live', trial: null })
  expect(armsIn(directory)).toEqual([['live', V2, 1]])
  await added(registry, 3)
  await registry.startCanary('v00000003', 0.2)
  expect(armsIn(directory)).toEqual([
    ['live', V2, 0.2],
    ['canary', 'v00000003', 0.2],
    ['live', V2, expect.closeTo(0.6, 12)],
  ])
})

it.each(['refused', 'rolled_back'] as const)('a canary that is %s never becomes live by itself', async (state) => {
  const { directory, registry } = await underTest()
  await registry.endCanary(V2, state)
  expect(await holds(registry)).toMatchObject({ canary: null, live: V1, state, trial: null, canaries: 1 })
  expect(armsIn(directory)).toEqual([['live', V1, 1]])
  expect(await registry.publish(V2)).toBe(false)
  expect(await registry.startCanary(V2, 0.2)).toBe(false)
  expect((await registry.endCanary(V2, state)).aliases.live).toBe(V1)
})

it('a canary that was worse is promoted only by force, one that showed nothing as it is', async () => {
  const { registry } = await underTest()
  await passGate(registry, V2)
  await registry.endCanary(V2, 'rolled_back')
  expect((await errorOf(() => registry.promote(V2))).code).toBe('ADAPTER_UNGATED')
  const { registry: other } = await underTest()
  await passGate(other, V2)
  await other.endCanary(V2, 'refused')
  expect((await other.promote(V2)).aliases.live).toBe(V2)
})

it.each<[string, (registry: Registry) => Promise<unknown>, string, string]>([
  ['promotes another version', (registry) => registry.promote('v00000003', { force: true }), 'v00000003', 'refused'],
  ['rolls back to live', (registry) => registry.rollback({ to: V1 }), V1, 'rolled_back'],
  ['pins live', (registry) => registry.pin(V1), V1, 'refused'],
  ['pins the canary', (registry) => registry.pin(V2, { force: true }), V2, 'live'],
  ['promotes the canary', (registry) => registry.promote(V2, { force: true }), V2, 'live'],
  ['refuses the canary', (registry) => registry.refuse(V2), V1, 'refused'],
])('a person who %s ends the test', async (_, act, live, state) => {
  const { directory, registry } = await underTest()
  await added(registry, 3)
  await act(registry)
  expect(await holds(registry)).toMatchObject({ canary: null, live, state, trial: null })
  expect(armsIn(directory)).toEqual([['live', live, 1]])
})

it('a control that is a version stays, whatever is removed, and goes when its files go', async () => {
  const { directory, registry } = registryIn()
  await addLive(registry, 1)
  await registry.setControl({ version: V1, model: 'bcod-v00000001', share: 0.1 })
  const { generation } = await registry.setControl({ version: V1, model: 'bcod-v00000001', share: 0.1 })
  expect(generation).toBe(3)
  for (const step of [2, 3, 4]) await addLive(registry, step)
  expect(await registry.gc(1)).toEqual([V2])
  expect(armsIn(directory)).toEqual([
    ['control', V1, 0.1],
    ['live', 'v00000004', 0.9],
  ])
  await registry.setControl(null)
  expect(await registry.gc(1)).toEqual([V1])
  const gone = { version: V1, model: 'm', share: 0.1 }
  expect((await errorOf(() => registry.setControl(gone))).code).toBe('ADAPTER_UNKNOWN')
})

it.each([
  ...['start: move canary started written', 'start: move canary started made', 'start: canary linked'],
  ...['start: canary moved', 'start: routing written', 'start: states written'],
  ...['end: move canary rolled back written', 'end: move canary rolled back made'],
  ...['end: routing written', 'end: states written'],
])('whoever dies at "%s" leaves a test that has begun or not, ended or not', async (at) => {
  const [action, stage] = at.split(': ')
  const { directory, registry } = await underTest()
  if (action === 'start') {
    await registry.endCanary(V2, 'refused')
    await added(registry, 3)
  }
  const reached: string[] = []
  const onStage = (each: string) => {
    reached.push(each)
    if (each === stage) throw new Error('dead')
  }
  const dying = new Registry(directory, { by: 'daemon', onStage })
  const act = action === 'start' ? dying.startCanary('v00000003', 0.2) : dying.endCanary(V2, 'rolled_back')
  await expect(act).rejects.toThrow('dead')
  expect(reached).toContain(stage)
  const { aliases, states, arms } = await new Registry(directory, { by: 'daemon' }).repair()
  const began = stage !== 'move canary started written'
  const ended = stage !== 'move canary rolled back written'
  const canary = action === 'start' ? (began ? 'v00000003' : null) : ended ? null : V2
  expect([aliases.canary, arms?.canary != null]).toEqual([canary, canary !== null])
  expect(linksOf(directory)).toEqual({ live: V1, ...(canary && { canary }) })
  expect(armsIn(directory).some(([name]: readonly string[]) => name === 'canary')).toBe(canary !== null)
  for (const [version, state] of Object.entries(states)) {
    const record = JSON.parse(readFileSync(join(directory, version, 'bcod.json'), 'utf8'))
    expect(record.state).toBe(state)
  }
})
