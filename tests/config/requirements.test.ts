import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { missingFor, requireFor } from '../../src/config/requirements.js'
import { refusal } from './scratch.js'

describe('what a command requires', () => {
  it('is named key by key, with the ways to set it', () => {
    const error = refusal(() => requireFor(loadConfig({ env: {}, set: ['stream.topic=t', 'model.path=m'] }), 'run'))
    expect(error).toMatchObject({ code: 'CONFIG_MISSING', place: 'stream.brokers' })
    expect(error.message).toContain('BCOD_STREAM_BROKERS')
    expect(error.message).toContain('checkpoint.dir: required by bcod run')
    expect(error.message).not.toContain('model.path')
  })

  it('is typed as present once it has been checked', () => {
    const set = ['model.path=m', 'stream.brokers=["a:9092"]', 'stream.topic=t', 'checkpoint.dir=/c/d']
    const config = requireFor(loadConfig({ env: {}, set }), 'run')
    const present: readonly string[] = [
      config.model.path,
      config.stream.dlq,
      config.adapters.dir,
      config.checkpoint.dir,
    ]
    expect(present).toEqual(['m', 't.dlq', '/c/adapters', '/c/d'])
  })

  it('can be listed without an error', () => {
    expect(missingFor(loadConfig({ env: {} }), 'run').map(({ key }) => key)).toEqual([
      ...['model.path', 'stream.brokers', 'stream.topic', 'checkpoint.dir'],
    ])
  })
})
