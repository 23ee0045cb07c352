import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { showConfig } from '../../src/config/show.js'
import { refusal, scratchFile } from './scratch.js'

const load = (targets: unknown, set: string[] = []) => loadConfig({ env: {}, defaults: { publish: { targets } }, set })
const refused = (targets: unknown) => refusal(() => load(targets))

describe('publish.targets', () => {
  it('have every field, left out ones with their defaults', () => {
    expect(load([{ kind: 'vllm', urls: ['http://gpu-1:8000'] }]).publish.targets).toEqual([
      { kind: 'vllm', urls: ['http://gpu-1:8000'], dns: null, name: 'bcod', apiKey: null, path: null },
    ])
  })

  it('may come from a file, a variable and a flag, as JSON', () => {
    const targets = [{ kind: 'sglang', dns: 'http://replicas:30000' }]
    const file = scratchFile('a.yaml', 'publish:\n  targets:\n    - kind: sglang\n      dns: http://replicas:30000\n')
    const all = [
      loadConfig({ env: {}, file }),
      loadConfig({ env: { BCOD_PUBLISH_TARGETS: JSON.stringify(targets) } }),
      loadConfig({ env: {}, set: [`publish.targets=${JSON.stringify(targets)}`] }),
    ]
    for (const { publish } of all) expect(publish.targets).toMatchObject(targets)
  })

  it('are shown without their API keys', () => {
    const shown = showConfig(load([{ kind: 'vllm', urls: ['http://gpu-1:8000'], apiKey: 's3cr3t' }]))
    expect(shown).toHaveProperty('publish.targets.0.apiKey', '[hidden]')
    expect(shown).toHaveProperty('publish.targets.0.urls', ['http://gpu-1:8000'])
    expect(JSON.stringify(shown)).not.toContain('s3cr3t')
  })

  it.each([
    ['no list', { kind: 'vllm' }],
    ['an unknown field', [{ kind: 'vllm', urls: ['http://a:1'], url: 'http://b:1' }]],
    ['an unknown kind', [{ kind: 'tgi', urls: ['http://a:1'] }]],
    ['a server without a URL', [{ kind: 'vllm' }]],
    ['both ways to find replicas', [{ kind: 'vllm', urls: ['http://a:1'], dns: 'http://b:1' }]],
    ['a URL that is none', [{ kind: 'vllm', urls: ['gpu-1:8000'] }]],
    ['a URL with /v1', [{ kind: 'vllm', urls: ['http://a:1/v1'] }]],
    ['a password in a URL', [{ kind: 'vllm', urls: ['http://ann:s3cr3t@a:1'] }]],
    ['a directory with a URL', [{ kind: 'directory', urls: ['http://a:1'] }]],
    ['a name that a URL would not hold', [{ kind: 'vllm', urls: ['http://a:1'], name: 'a/b' }]],
    ['a relative path', [{ kind: 'vllm', urls: ['http://a:1'], path: 'adapters' }]],
    ['one server twice', [{ kind: 'vllm', urls: ['http://a:1', 'http://a:1/'] }]],
  ])('are refused with %s, and nothing of them is repeated', (_, targets) => {
    const error = refused(targets)
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(error.line).toContain('publish.targets')
    expect(error.line).not.toContain('s3cr3t')
  })

  it('with a wrong value do not repeat an API key', () => {
    expect(refused([{ kind: 'tgi', apiKey: 's3cr3t' }]).line).not.toContain('s3cr3t')
  })
})
