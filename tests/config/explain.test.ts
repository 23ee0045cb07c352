import { describe, expect, it } from 'vitest'
import { explain, explainAll, explainKey } from '../../src/config/explain.js'
import { refusal } from './scratch.js'

describe('explaining keys', () => {
  it('tells meaning, default, range and variable', () => {
    expect(explainKey('batch.maxLatency')).toEqual({
      key: 'batch.maxLatency',
      doc: expect.stringContaining('waited this long'),
      expects: 'a duration such as 250ms, 30s or 15m (0 = off)',
      default: '30s',
      env: 'BCOD_BATCH_MAX_LATENCY',
      sensitive: false,
    })
  })

  it('lists a group', () => {
    expect(explain('stream.tls').map(({ key }) => key)).toEqual([
      'stream.tls.enabled',
      'stream.tls.ca',
      'stream.tls.cert',
      'stream.tls.key',
    ])
  })

  it('refuses an unknown key with the nearest', () => {
    expect(refusal(() => explain('optimizer.rate')).code).toBe('CONFIG_UNKNOWN_KEY')
    expect(refusal(() => explain('batch.sizes')).message).toContain('did you mean batch.size?')
  })

  it('has a meaning and a variable of its own for every key', () => {
    const all = explainAll()
    expect(all.every(({ doc }) => /^.{15,}$/.test(doc))).toBe(true)
    expect(new Set(all.map(({ env }) => env)).size).toBe(all.length)
  })
})
