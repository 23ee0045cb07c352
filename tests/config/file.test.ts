import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { readConfigFile } from '../../src/config/file.js'
import { refusal, scratchFile } from './scratch.js'

describe('a configuration file', () => {
  it('may be YAML, JSON with tabs, or empty', () => {
    expect(readConfigFile(scratchFile('a.yaml', 'seed: 7 # ours\nbco:\n')).tree).toEqual({ seed: 7, bco: null })
    expect(readConfigFile(scratchFile('a.json', '{\n\t"bco": {\n\t\t"beta": 0.2\n\t}\n}')).tree).toEqual({
      bco: { beta: 0.2 },
    })
    expect(readConfigFile(scratchFile('a.yaml', '# nothing yet\n')).tree).toEqual({})
    expect(loadConfig({ file: scratchFile('a.yaml', 'seed: 7\nbco:\n'), env: {} }).seed).toBe(7)
  })

  it('knows the line of each of its keys', () => {
    const file = readConfigFile(scratchFile('a.yaml', 'seed: 7\nbatch:\n  # budget\n  tokens: 9\n'))
    expect(file.lineOf('batch.tokens')).toBe(4)
    expect(file.lineOf('batch.size')).toBeNull()
  })

  it('that cannot be read says why', () => {
    expect(refusal(() => readConfigFile('/no/such/file.yaml')).line).toBe(
      'CONFIG_UNREADABLE /no/such/file.yaml: cannot be read (ENOENT)',
    )
  })

  it.each([
    ['a.yaml', 'seed: 1\nbco:\n  beta: 1\n  beta: 2\n', 'line 4'],
    ['a.yaml', 'seed: 1\nlog: "unclosed\n', 'line 3'],
    ['a.json', '{\n "seed": 1,\n "log": {', 'line 3'],
    ['a.yaml', '- seed\n', 'expected keys and values'],
    ['a.yaml', 'seed: *nobody\n', 'alias'],
  ])('that does not parse names the line (%s %j)', (name, text, expected) => {
    const error = refusal(() => readConfigFile(scratchFile(name, text)))
    expect(error.code).toBe('CONFIG_UNREADABLE')
    expect(error.message).toContain(expected)
  })
})
