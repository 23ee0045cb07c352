import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { configCommand } from '../../src/cli/config.js'
import { scratchFile } from '../config/scratch.js'
import { stdoutOf } from './capture.js'

const config = (...args: string[]) => stdoutOf(configCommand(), ...args)

describe('bcod config', () => {
  it('shows the resolved configuration as YAML or as one line of JSON, secrets masked', async () => {
    const file = scratchFile('bcod.yaml', 'seed: 3\nserver:\n  adminToken: open-sesame-to-me\n')
    const args = ['show', '--config', file, '--set', 'batch.size=4', '--set', 'bco.beta=0.5']
    const yaml = await config(...args)
    const json = await config(...args, '--json')
    expect(parse(yaml)).toMatchObject({
      seed: 3,
      batch: { size: 4 },
      bco: { beta: 0.5 },
      server: { adminToken: '[hidden]' },
    })
    expect(json.trimEnd()).not.toContain('\n')
    expect(JSON.parse(json)).toEqual(parse(yaml))
    expect(yaml + json).not.toContain('open-sesame')
  })

  it('prints the JSON Schema', async () => {
    expect(JSON.parse(await config('schema'))).toHaveProperty('$schema', 'https://json-schema.org/draft/2020-12/schema')
  })

  it('explains a key and a group', async () => {
    expect(await config('explain', 'optimizer.lr')).toContain('variable  BCOD_OPTIMIZER_LR')
    expect(JSON.parse(await config('explain', 'optimizer.lr', '--json'))).toMatchObject({ default: 0.0001 })
    expect(JSON.parse(await config('explain', 'stream.sasl', '--json'))).toHaveLength(6)
  })

  it('refuses an unknown key with a coded error', async () => {
    await expect(config('explain', 'optimizer.rate')).rejects.toMatchObject({ code: 'CONFIG_UNKNOWN_KEY' })
    await expect(config('show', '--set', 'batch.sizes=1')).rejects.toMatchObject({ code: 'CONFIG_UNKNOWN_KEY' })
  })
})
