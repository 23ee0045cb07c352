import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest'
import { Registry } from '../../src/adapters/registry/registry.js'
import { openRegistryFiles } from '../../src/adapters/storage/open-files.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { adaptersCommand } from '../../src/cli/adapters.js'
import { checkStore } from '../../src/cli/check/store.js'
import { loadConfig } from '../../src/config/config.js'
import { stdoutOf } from '../cli/capture.js'
import { eventually } from '../daemon/feedback.js'
import { place, records } from '../daemon/in-process.js'
import { temporaryDirectory } from '../support/checkpoints.js'
import { RecordedVllm } from '../support/recorded-vllm.js'
import { BUCKET, CREDENTIALS, FaultyProxy, HAS_S3, type S3Server, startS3Server } from './server.js'

describe.runIf(HAS_S3)('against versitygw', () => {
  let server: S3Server
  beforeAll(async () => {
    server = await startS3Server()
    vi.stubEnv('AWS_ACCESS_KEY_ID', CREDENTIALS.accessKeyId)
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', CREDENTIALS.secretAccessKey)
  })
  afterAll(async () => {
    vi.unstubAllEnvs()
    await server.stop()
  })

  const store = (prefix: string, endpoint = server.url) => ({
    ...{ 'adapters.store': `s3://${BUCKET}/${prefix}`, 'adapters.s3.endpoint': endpoint },
    'adapters.s3.pathStyle': true,
  })
  const keys = {
    'adapters.s3.accessKeyId': CREDENTIALS.accessKeyId,
    'adapters.s3.secretAccessKey': CREDENTIALS.secretAccessKey,
  }
  const flags = (settings: Readonly<Record<string, unknown>>) =>
    Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`])

  it('a daemon publishes into the bucket, and goes on without its copies', async () => {
    const { config, start } = place({ ...store('daemon'), ...keys })
    const first = start()
    await first.until(({ state }) => state === 'running')
    first.log.append(records(0, 8))
    await first.until(({ adapter }) => adapter === 'v00000002')
    await first.stop()
    const registry = new Registry(openRegistryFiles({ ...config.adapters, dir: temporaryDirectory() }), { by: 'cli' })
    expect((await registry.list()).map(({ version, state }) => [version, state])).toEqual([
      ['v00000001', 'retired'],
      ['v00000002', 'live'],
    ])
    expect(readdirSync(config.adapters.dir)).not.toContain('moves')

    rmSync(config.adapters.dir, { recursive: true })
    const second = start()
    await second.until(({ state, adapter }) => state === 'running' && adapter === 'v00000002')
    second.log.append(records(8, 4))
    await second.until(({ adapter }) => adapter === 'v00000003')
    await registry.rollback()
    await second.until(({ training_paused, adapters }) => training_paused && adapters?.live === 'v00000002')
    await second.stop()
  })

  it('a server that must load a version finds its copy, also if all copies were lost', async () => {
    const vllm = await RecordedVllm.start({ logp: () => -1 })
    const targets = [{ kind: 'vllm', urls: [vllm.url] }]
    const { config, scheduler, start } = place({
      ...{ ...store('servers'), ...keys },
      ...{ 'publish.targets': targets, 'publish.attest': 0, 'publish.timeout': '2s' },
    })
    const { log, until, stop, daemon } = start()
    await until(({ state }) => state === 'running')
    log.append(records(0, 8))
    await until(({ adapter }) => adapter === 'v00000002')
    const copy = join(config.adapters.dir, 'v00000002')
    expect(vllm.adapters.get('bcod-v00000002')).toBe(copy)

    rmSync(config.adapters.dir, { recursive: true })
    vllm.adapters.clear()
    await eventually(() => {
      scheduler.advance(15_000)
      return vllm.adapters.has('bcod-v00000001') && vllm.adapters.has('bcod-v00000002')
    }, 20_000)
    for (const directory of vllm.adapters.values()) expect(readAdapter(directory).tensors.size).toBe(2)
    expect(daemon.status().adapters?.live).toBe('v00000002')

    // what is loaded is read again: its copy must be there too
    rmSync(config.adapters.dir, { recursive: true })
    await eventually(() => {
      scheduler.advance(15_000)
      return [...vllm.adapters.values()].every((directory) => existsSync(directory))
    }, 20_000)
    await stop()
  })

  it('every command works on the bucket, by name or by the configuration', async () => {
    vi.stubEnv('BCOD_CACHE', join(temporaryDirectory(), 'cache'))
    const settings = store('commands')
    const named = ['--adapters', settings['adapters.store'], ...flags({ 'adapters.s3.endpoint': server.url })]
    const byName = [...named, ...flags({ 'adapters.s3.pathStyle': true })]
    const { config, start } = place({ ...settings, ...keys })
    const daemon = start()
    await daemon.until(({ state }) => state === 'running')
    daemon.log.append(records(0, 8))
    await daemon.until(({ adapter }) => adapter === 'v00000002')
    await daemon.stop()
    const run = (...args: string[]) => stdoutOf(adaptersCommand(), ...args)
    expect(JSON.parse(await run('list', ...byName, '--json'))).toHaveLength(2)
    const configured = flags({ ...settings, 'adapters.dir': temporaryDirectory() })
    expect(JSON.parse(await run('show', 'live', ...configured, '--json'))).toMatchObject({ version: 'v00000002' })
    expect(JSON.parse(await run('diff', 'previous', 'live', ...byName, '--json'))).toMatchObject({
      versions: ['v00000001', 'v00000002'],
    })
    const out = join(temporaryDirectory(), 'exported')
    await run('export', 'live', '--out', out, ...byName)
    expect(readdirSync(out).sort()).toEqual([
      ...['adapter_config.json', 'adapter_model.safetensors', 'bcod.json', 'gate.json'],
    ])
    expect(readAdapter(out)).toEqual(readAdapter(join(config.adapters.dir, 'v00000002')))
    await run('rollback', ...byName)
    await run('resume', '--keep', ...byName)
    await run('pin', 'live', ...byName)
    await run('pin', '--off', ...byName)
    await run('promote', 'v00000002', '--force', ...byName)
    expect(JSON.parse(await run('gc', '--keep', '1', ...byName, '--json'))).toEqual({ removed: [], dry_run: false })
    await expect(run('list', '--adapters', 's3://nowhere/x', ...byName.slice(2))).rejects.toMatchObject({
      code: 'S3_NO_BUCKET',
    })
  })

  it('check --online says whether the bucket will do', async () => {
    const found = async (endpoint: string, changed = {}) => {
      const set = Object.entries({ ...store('check', endpoint), ...keys, ...changed })
      const findings = await checkStore(loadConfig({ env: {}, set: set.map(([k, v]) => `${k}=${JSON.stringify(v)}`) }))
      return findings.map(({ status, detail }) => `${status} ${detail}`)
    }
    expect(await found(server.url)).toEqual([expect.stringContaining(`s3://${BUCKET}/check/: written, created once`)])
    expect(existsSync(join(server.objects, 'check'))).toBe(false)
    const wrong = await found(server.url, { 'adapters.s3.secretAccessKey': 'guess' })
    expect(wrong).toEqual([expect.stringContaining('S3_DENIED')])
    expect(wrong.join()).not.toContain('guess')
    const proxy = await FaultyProxy.start(server.url)
    onTestFinished(() => proxy.close())
    let puts = 0
    proxy.fate = (method) => (method === 'PUT' && puts++ > 0 ? 200 : 'through')
    expect(await found(proxy.url)).toEqual([expect.stringMatching(/S3_UNCONDITIONAL .*: was created twice/)])
    puts = 0
    const { config } = place({ ...store('unconditional', proxy.url), ...keys })
    await expect(openRegistryFiles(config.adapters).take()).rejects.toMatchObject({ code: 'S3_UNCONDITIONAL' })
  })
})
