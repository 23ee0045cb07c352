import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { adaptersCommand } from '../../src/cli/adapters.js'
import { sampleAdapter, temporaryDirectory } from '../support/checkpoints.js'
import { added, addLive, linksOf, passGate, registryIn } from '../support/registry.js'
import { stdoutOf } from './capture.js'

const adapters = (...args: string[]) => stdoutOf(adaptersCommand(), ...args)

/** A registry with versions 1 and 2 live in turn and 3 as the candidate, and what commands on it print. */
async function place() {
  const { directory, registry } = registryIn(join(temporaryDirectory(), 'adapters'))
  const votesSince = async () => ({ up: { web: 3, app: 1 }, down: { web: 2 } })
  await registry.add(sampleAdapter(1), { step: 1, delta: 0.25, checkpoint: 'step-00000001', votesSince })
  await registry.publish('v00000001')
  await addLive(registry, 2)
  await added(registry, 3)
  const run = (...args: string[]) => adapters(...args, '--adapters', directory)
  const json = async (...args: string[]) => JSON.parse(await run(...args, '--json')) as unknown
  return { directory, registry, run, json }
}

describe('bcod adapters', () => {
  it('lists versions with their states, aliases and votes', async () => {
    const { run, json } = await place()
    const rows = (await run('list')).trimEnd().split('\n')
    expect(rows[0]).toMatch(/^version +state +aliases +gate +resume +up\/down +added \(UTC\)$/)
    expect(rows[1]).toMatch(/^v00000001 {2}retired +previous +– +– +4\/2 +\d{4}-\d\d-\d\d \d\d:\d\d$/)
    expect(rows.filter((row) => row.startsWith('v0'))).toHaveLength(3)
    expect(await json('list')).toMatchObject([
      { version: 'v00000001', state: 'retired', aliases: ['previous'], pinned: false, gate: null },
      { version: 'v00000002', state: 'live', aliases: ['live'] },
      { version: 'v00000003', state: 'candidate', aliases: ['candidate'] },
    ])
  })

  it('finds the registry by the configuration', async () => {
    const { directory } = await place()
    const file = join(directory, '..', 'bcod.json')
    writeFileSync(file, JSON.stringify({ adapters: { dir: directory } }))
    expect(JSON.parse(await adapters('list', '--config', file, '--json'))).toHaveLength(3)
    const beside = ['--set', `checkpoint.dir=${join(directory, '..', 'checkpoints')}`]
    expect(JSON.parse(await adapters('list', ...beside, '--json'))).toHaveLength(3)
    await expect(adapters('list')).rejects.toMatchObject({ code: 'USAGE' })
    await expect(adapters('list', '--adapters', join(directory, 'x'))).rejects.toMatchObject({ code: 'ADAPTER_IO' })
  })

  it('shows where a version comes from and what the gate said, by name or alias', async () => {
    const { registry, run, json } = await place()
    const check = {
      ...{ name: 'kl_live', outcome: 'refused' as const, value: 0.5, low: 0.4, high: 0.6, bound: 0.1 },
      ...{ reference: 'v00000002', detail: null },
    }
    await registry.saveGateReport({ version: 'v00000003', outcome: 'refused', checks: [check] })
    expect(await run('show', 'previous')).toMatch(/^steps +1 to 1$/m)
    expect(await run('show', 'previous')).toMatch(/^votes of web +3 up, 2 down$/m)
    expect(await run('show', 'candidate')).toMatch(/^refused +kl_live +0\.5000 +0\.4000 to 0\.6000 +0\.1000$/m)
    expect(await json('show', 'candidate')).toMatchObject({
      ...{ version: 'v00000003', parent: 'v00000002', steps: [3, 3] },
      gate: { outcome: 'refused', checks: [check] },
    })
    expect(await run('show', 'candidate')).not.toContain('its votes')
    await registry.saveCanaryReport({
      ...{
        version: 'v00000003',
        against: 'v00000002',
        started: '2026-01-01T00:00:00Z',
        updated: '2026-01-02T00:00:00Z',
      },
      ...{ outcome: 'worse', passed: false, difference: -0.1, low: -0.15, high: -0.05, margin: 0.05, alpha: 0.05 },
      ...{ min_votes: 200, looks: 70, canary: { votes: 300, users: 90, up_ratio: 0.7 } },
      live: { votes: 2000, users: 700, up_ratio: 0.8 },
    })
    const shown = await run('show', 'candidate')
    expect(shown).toMatch(/^canary +worse, from 2026-01-01T00:00:00Z on, 70 looks$/m)
    expect(shown).toMatch(/^its votes +0\.7000 thumbs-up of 300 votes of 90 users$/m)
    expect(shown).toMatch(/^difference +-0\.1000 \(-0\.1500 to -0\.05000?\); margin 0\.05000?$/m)
    await expect(run('show', 'v00000009')).rejects.toMatchObject({ code: 'ADAPTER_UNKNOWN' })
    await expect(run('show', 'canary')).rejects.toMatchObject({ message: 'no version is canary' })
    await expect(run('show', 'toString')).rejects.toMatchObject({ code: 'ADAPTER_UNKNOWN' })
  })

  it('fits a terminal of 80 columns, however much a check has to say', async () => {
    const { registry, run } = await place()
    const words = Array.from({ length: 40 }, (_, i) => `word${i}`)
    const check = {
      ...{ name: 'probe:false-claims', outcome: 'refused' as const, value: -1.5, low: -2.25, high: -1.25, bound: -1 },
      ...{ reference: 'v00000002', detail: words.join(' ') },
    }
    await registry.saveGateReport({ version: 'v00000003', outcome: 'refused', checks: [check] })
    const shown = await run('show', 'candidate')
    for (const line of [...shown.split('\n'), ...(await run('list')).split('\n')])
      expect(line.length, line).toBeLessThanOrEqual(80)
    expect(shown.split(/\s+/)).toEqual(expect.arrayContaining(words))
    expect(shown).toMatch(/^refused +probe:false-claims +-1\.500 +-2\.250 to -1\.250 +-1\.000\n {9}word0 word1 /m)
  })

  it('compares two versions', async () => {
    const { run, json } = await place()
    expect(await run('diff', 'previous', 'live')).toMatch(/^module +v00000001 +v00000002 +difference +of v00000001$/m)
    expect(await json('diff', 'live', 'live')).toMatchObject({ versions: ['v00000002', 'v00000002'] })
  })

  it('promotes what the gate has passed, or what is forced, from the generation that was seen', async () => {
    const { directory, registry, run, json } = await place()
    await expect(run('promote', 'candidate')).rejects.toMatchObject({ code: 'ADAPTER_UNGATED' })
    await passGate(registry, 'v00000003')
    const { generation } = await registry.current()
    await expect(run('promote', 'candidate', '--generation', '2')).rejects.toMatchObject({ code: 'ADAPTER_MOVED' })
    expect(await json('promote', 'candidate', '--generation', String(generation))).toEqual({
      ...{ generation: generation + 1, candidate: null, canary: null, live: 'v00000003', previous: 'v00000002' },
      ...{ pinned: null, frozen: false },
    })
    await run('promote', 'v00000001', '--force')
    expect(linksOf(directory)).toEqual({ live: 'v00000001', previous: 'v00000003' })
    expect(await registry.current()).toMatchObject({ by: 'cli', cause: 'promoted' })
  })

  it('rolls back, says that all stands still, and resumes', async () => {
    const { directory, run, json } = await place()
    expect(await run('rollback')).toMatch(/^live +v00000001\n(.*\n)*Nothing is published or learnt until you resume/)
    expect(linksOf(directory)).toEqual({ live: 'v00000001' })
    expect(await run('list')).toContain('Nothing is published or learnt until you resume')
    await expect(run('resume')).rejects.toMatchObject({ code: 'USAGE' })
    await expect(run('resume', '--keep', '--from', 'live')).rejects.toMatchObject({ code: 'USAGE' })
    // nothing says where checkpoints are
    await expect(run('resume', '--from', 'live')).rejects.toMatchObject({ code: 'USAGE', place: '--from' })
    const checkpoints = ['--set', `checkpoint.dir=${join(directory, 'none')}`]
    await expect(run('resume', '--from', 'live', ...checkpoints)).rejects.toMatchObject({
      code: 'ADAPTER_NOT_RESUMABLE',
    })
    expect(await json('resume', '--keep')).toMatchObject({ frozen: false, live: 'v00000001' })
  })

  it('pins and releases', async () => {
    const { run, json } = await place()
    expect(await json('pin', 'live')).toMatchObject({ pinned: 'v00000002' })
    expect(await run('list')).toContain('live stays at v00000002 until bcod adapters pin --off')
    expect(await json('pin', '--off')).toMatchObject({ pinned: null })
    for (const wrong of [[], ['live', '--off']])
      await expect(run('pin', ...wrong)).rejects.toMatchObject({ code: 'USAGE' })
  })

  it('exports a version as PEFT loads it, whole or not at all', async () => {
    const { directory, json } = await place()
    const out = join(directory, '..', 'out')
    const files = ['bcod.json', 'adapter_config.json', 'adapter_model.safetensors']
    expect(await json('export', 'live', '--out', out)).toEqual({ version: 'v00000002', out, files })
    expect(readAdapter(out)).toEqual(sampleAdapter(2))
    expect(readdirSync(out).sort()).toEqual([...files].sort())
    await expect(json('export', 'live', '--out', out)).rejects.toMatchObject({ code: 'OUTPUT_NOT_EMPTY' })
    await expect(json('export', 'v00000009', '--out', `${out}2`)).rejects.toMatchObject({ code: 'ADAPTER_UNKNOWN' })
    expect(existsSync(`${out}2`)).toBe(false)
    expect(statSync(out).mode & 0o777).toBe(0o700)
  })

  it('removes old versions, or says which would go', async () => {
    const { directory, registry, run, json } = await place()
    for (const step of [4, 5]) await addLive(registry, step)
    const gc = ['gc', '--keep', '1', '--loaded', 'v00000002']
    expect(await json(...gc, '--dry-run')).toEqual({ removed: ['v00000001', 'v00000003'], dry_run: true })
    expect(await run(...gc)).toBe('v00000001, v00000003 are gone\n')
    expect(await run(...gc)).toBe('nothing to remove\n')
    const versions = readdirSync(directory).filter((name) => name.startsWith('v'))
    expect(versions.sort()).toEqual(['v00000002', 'v00000004', 'v00000005'])
  })
})
