import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Move } from '../../../src/adapters/moves/move.js'
import { Registry } from '../../../src/adapters/registry/registry.js'
import { errorOf, sampleAdapter } from '../../support/checkpoints.js'
import { added, addLive, linksOf, registryIn } from '../../support/registry.js'

/** Versions 1 and 2; 2 is live. */
async function twoVersions(): Promise<string> {
  const { directory, registry } = registryIn()
  for (const step of [1, 2]) await addLive(registry, step)
  return directory
}

/** What a restart finds, once everything that follows from the log follows it. */
async function restart(directory: string): Promise<Move> {
  const registry = new Registry(directory, { by: 'daemon' })
  const state = await registry.repair()
  const { live, previous } = state.aliases
  expect(linksOf(directory)).toEqual({ ...(live && { live }), ...(previous && { previous }) })
  for (const { version, state: recorded } of await registry.list()) {
    expect(recorded).toBe(state.states[version])
    expect(JSON.parse(readFileSync(join(directory, version, 'bcod.json'), 'utf8')).state).toBe(recorded)
  }
  const { arms } = JSON.parse(readFileSync(join(directory, 'routing.json'), 'utf8')) as { arms: readonly object[] }
  expect(arms).toEqual([{ name: 'live', version: live, model: `bcod-${live}`, share: 1 }])
  return state
}

/** What is done, the stages that it passes, and how many of them leave what was there before. */
const ACTIONS = {
  publish: {
    stages: [
      ...['version written', 'move added written', 'move added made'],
      ...['move published written', 'move published made', 'live linked', 'live moved', 'previous linked'],
      ...['previous moved', 'routing written', 'states written'],
    ],
    decisive: 'move published made',
    before: 'v00000002',
    after: 'v00000003',
  },
  rollback: {
    stages: [
      ...['move rolled back written', 'move rolled back made', 'live linked', 'live moved'],
      ...['routing written', 'states written'],
    ],
    decisive: 'move rolled back made',
    before: 'v00000002',
    after: 'v00000001',
  },
  gc: {
    stages: ['move removed written', 'move removed made'],
    decisive: 'move removed made',
    before: 'v00000003',
    after: 'v00000003',
  },
} as const
type Action = keyof typeof ACTIONS
const CASES = (Object.keys(ACTIONS) as Action[]).flatMap((action) =>
  ACTIONS[action].stages.map((stage) => [action, stage] as const),
)

async function act(registry: Registry, action: Action): Promise<void> {
  if (action === 'publish') await addLive(registry, 3)
  else if (action === 'rollback') await registry.rollback()
  else await registry.gc(1)
}

const placeFor = async (action: Action) => {
  const directory = await twoVersions()
  if (action === 'gc') await addLive(new Registry(directory, { by: 'daemon' }), 3)
  return directory
}

/** After a fault in a stage, what holds is that before the action or that after it, and the action can be done again. */
async function expectWhole(directory: string, action: Action, stage: string): Promise<void> {
  const { stages, decisive, before, after } = ACTIONS[action]
  const isMade = (stages as readonly string[]).indexOf(stage) >= (stages as readonly string[]).indexOf(decisive)
  const state = await restart(directory)
  expect(state.aliases.live).toBe(isMade ? after : before)
  if (action === 'rollback') {
    expect(state.frozen).toBe(isMade)
    if (isMade) return
  }
  await act(new Registry(directory, { by: 'daemon' }), action)
  expect((await restart(directory)).aliases.live).toBe(after)
  const versions = readdirSync(directory).filter((name) => name.startsWith('v0'))
  expect(versions.sort()).toEqual(
    action === 'publish'
      ? ['v00000001', 'v00000002', 'v00000003']
      : action === 'gc'
        ? ['v00000002', 'v00000003']
        : ['v00000001', 'v00000002'],
  )
}

describe('a fault in a stage leaves what was there or what was to be, and a second try succeeds', () => {
  it.each(CASES)('%s: %s', async (action, stage) => {
    const directory = await placeFor(action)
    const seen: string[] = []
    const onStage = (at: string) => {
      seen.push(at)
      if (at === stage) throw new Error('fault')
    }
    await expect(act(new Registry(directory, { by: 'daemon', onStage }), action)).rejects.toThrow('fault')
    const { stages } = ACTIONS[action]
    expect(seen).toEqual(stages.slice(0, (stages as readonly string[]).indexOf(stage) + 1))
    await expectWhole(directory, action, stage)
  })
})

describe('of processes', () => {
  const build = mkdtempSync(join(tmpdir(), 'bcod-registry-'))
  const root = join(import.meta.dirname, '../../..')

  beforeAll(() => {
    const compile = ['--rootDir', root, '--outDir', build, '--noEmit', 'false', '--target', 'ES2022']
    const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules/@types')]
    const modules = ['--module', 'nodenext', '--lib', 'es2023', ...types]
    const tsc = join(root, 'node_modules/.bin/tsc')
    const files = ['src/adapters/registry/registry.ts'].map((file) => join(root, file))
    execFileSync(tsc, ['--ignoreConfig', ...compile, ...modules, '--skipLibCheck', ...files], { cwd: build })
    writeFileSync(join(build, 'package.json'), '{"type":"module"}')
    symlinkSync(join(root, 'node_modules'), join(build, 'node_modules'))
    writeFileSync(
      join(build, 'victim.mjs'),
      `import { Registry } from './src/adapters/registry/registry.js'
       const [directory, action, last] = process.argv.slice(2)
       const onStage = (stage) => stage === last && process.kill(process.pid, 'SIGKILL')
       const registry = new Registry(directory, { by: 'daemon', onStage })
       if (action === 'publish') await registry.publish('v00000003')
       else if (action === 'rollback') await registry.rollback()
       else await registry.gc(1)`,
    )
    writeFileSync(
      join(build, 'operator.mjs'),
      `import { Registry } from './src/adapters/registry/registry.js'
       const [directory, version, times] = process.argv.slice(2)
       const registry = new Registry(directory, { by: version })
       process.stdout.write('ready\\n')
       await new Promise((resolve) => process.stdin.once('data', resolve))
       const { generation } = await registry.current()
       const outcome = await registry.promote(version, { force: true, generation }).then(() => 'moved', ({ code }) => code)
       for (let i = 1; i < Number(times); i++) await registry[i % 2 ? 'pin' : 'promote'](version, { force: true })
         .catch(({ code }) => { if (code !== 'ADAPTER_PINNED') throw new Error(code) })
         .then(() => registry.unpin())
       process.stdout.write(outcome)
       process.exit()`,
    )
  })
  afterAll(() => rmSync(build, { recursive: true }))

  it.each(CASES.filter(([, stage]) => !/version|added/.test(stage)))('one killed -9: %s: %s', async (action, stage) => {
    const directory = await placeFor(action)
    if (action === 'publish') await added(new Registry(directory, { by: 'daemon' }), 3)
    const victim = [join(build, 'victim.mjs'), directory, action, stage]
    const { signal, stderr } = spawnSync(process.execPath, victim)
    expect(`${signal} ${stderr}`).toBe('SIGKILL ')
    await expectWhole(directory, action, stage)
  })

  /** Starts an operator and lets it go with the others. */
  async function operators(directory: string, versions: readonly string[], times: number): Promise<readonly string[]> {
    const running = versions.map((version) =>
      spawn(process.execPath, [join(build, 'operator.mjs'), directory, version, String(times)]),
    )
    await Promise.all(running.map(({ stdout }) => once(stdout, 'data')))
    const said = running.map((child) => {
      let text = ''
      child.stdout.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      child.stderr.on('data', (chunk: Buffer) => {
        text += chunk.toString()
      })
      return once(child, 'close').then(() => text)
    })
    for (const { stdin } of running) stdin.write('go\n')
    return Promise.all(said)
  }

  it('two that promote at once, each from what it has seen, move one after the other or are told', async () => {
    for (let round = 0; round < 5; round++) {
      const directory = await twoVersions()
      for (const step of [3, 4]) await added(new Registry(directory, { by: 'daemon' }), step)
      const outcomes = await operators(directory, ['v00000003', 'v00000004'], 1)
      const state = await restart(directory)
      const moves = await new Registry(directory, { by: 'test' }).movesAfter(6)
      expect(moves).toHaveLength(outcomes.filter((outcome) => outcome === 'moved').length)
      for (const outcome of outcomes) expect(['moved', 'ADAPTER_MOVED']).toContain(outcome)
      expect(state.aliases.live).toBe(moves.at(-1)!.by)
      expect(state.aliases.previous).toBe(moves.length === 2 ? moves[0]!.by : 'v00000002')
    }
  })

  it('three that move all the time lose no move: each begins from the one before', async () => {
    const directory = await twoVersions()
    for (const step of [3, 4, 5]) await added(new Registry(directory, { by: 'daemon' }), step)
    const outcomes = await operators(directory, ['v00000003', 'v00000004', 'v00000005'], 12)
    for (const outcome of outcomes) expect(outcome).toMatch(/^(moved|ADAPTER_MOVED)$/)
    const state = await restart(directory)
    const moves = await new Registry(directory, { by: 'test' }).movesAfter(0)
    expect(moves.map(({ generation }) => generation)).toEqual(moves.map((_, i) => i + 1))
    expect(moves.at(-1)).toEqual(state)
    expect(moves.length).toBeGreaterThan(20)
    for (const [i, move] of moves.entries()) {
      const before = moves[i - 1]
      if (before === undefined || move.cause === 'added') continue
      if (move.cause === 'unpinned') expect(move.aliases).toEqual(before.aliases)
      else if (move.aliases.live !== before.aliases.live) expect(move.aliases.previous).toBe(before.aliases.live)
    }
  })
})

it('an entry that is not whole stops every move, names its file, and no longer does once it is gone', async () => {
  const directory = await twoVersions()
  const registry = new Registry(directory, { by: 'cli' })
  const path = join(directory, 'moves', '00000005.json')
  for (const text of ['', '{"generation": 5, "aliases": {"li', 'null', '{"generation": 5}', '[]', '"text"']) {
    writeFileSync(path, text)
    for (const move of [() => registry.rollback(), () => added(registry, 3), () => registry.gc(1)]) {
      const error = await errorOf(move)
      expect(error.line).toBe('ADAPTER_LOG_DAMAGED moves/00000005.json: is no whole entry of the log')
    }
  }
  expect(linksOf(directory)).toEqual({ live: 'v00000002', previous: 'v00000001' })
  rmSync(path)
  expect((await registry.rollback()).aliases.live).toBe('v00000001')
})

it('a writer that slept until its number was used and forgotten takes its entry back and begins again', async () => {
  const directory = await twoVersions()
  let slept = false
  const slow = new Registry(directory, {
    by: 'slow',
    onStage: (stage) => {
      if (stage !== 'move rolled back written' || slept) return
      slept = true
      // two thousand moves later
      const newest = JSON.parse(readFileSync(join(directory, 'moves/00000004.json'), 'utf8')) as Move
      for (const name of readdirSync(join(directory, 'moves'))) rmSync(join(directory, 'moves', name))
      const later = { ...newest, generation: 2004, cause: 'unpinned', by: 'others' }
      writeFileSync(join(directory, 'moves/00002004.json'), JSON.stringify(later))
    },
  })
  expect(await slow.rollback()).toMatchObject({ cause: 'rolled back', by: 'slow', generation: 2005 })
  const registry = new Registry(directory, { by: 'test' })
  expect(await registry.movesAfter(4)).toEqual([])
  expect(await registry.movesAfter(2003)).toHaveLength(2)
  expect((await registry.current()).aliases.live).toBe('v00000001')
})

it('whoever brings up what follows an older move does it again for the newer one', async () => {
  const directory = await twoVersions()
  const other = new Registry(directory, { by: 'other' })
  let moved = false
  let under: Promise<unknown> = Promise.resolve()
  const slow = new Registry(directory, {
    by: 'slow',
    onStage: (stage) => {
      if (stage !== 'live linked' || moved) return
      moved = true
      under = other.rollback()
    },
  })
  await addLive(slow, 3)
  await under
  expect((await restart(directory)).aliases.live).toBe('v00000002')
})

it('adding other versions meanwhile does not disturb a move', async () => {
  const directory = await twoVersions()
  const registry = new Registry(directory, { by: 'daemon' })
  await Promise.all([
    registry.add(sampleAdapter(3), { step: 3, delta: 0 }),
    registry.rollback(),
    registry.add(sampleAdapter(4), { step: 4, delta: 0 }),
  ])
  const state = await restart(directory)
  expect(state.aliases.live).toBe('v00000001')
  expect(Object.keys(state.states)).toHaveLength(4)
})
