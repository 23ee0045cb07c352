import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import type { BcodError } from '../../src/errors.js'

const load = (...set: readonly string[]) => loadConfig({ set, env: {} })
const message = (run: () => unknown): string => {
  try {
    run()
    return 'accepted'
  } catch (error) {
    return (error as BcodError).line
  }
}

describe('gateway.*', () => {
  it.each([
    'gateway.upstreams=http://vllm:8000,https://api.example.com/v1',
    'gateway.routing=http://bcod:9464/routing',
    'gateway.corsOrigins=https://chat.example.com,http://localhost:3000',
    `gateway.voteKey=${'a'.repeat(32)}, ${'b'.repeat(32)}`,
  ])('takes %s', (set) => {
    expect(message(() => load(set))).toBe('accepted')
  })

  it.each([
    ['gateway.upstreams=vllm:8000', 'gateway.upstreams'],
    ['gateway.upstreams=http://vllm:8000,http://vllm:8000/v1?key=1', 'number 2'],
    ['gateway.upstreams=http://me:secret@vllm:8000', 'gateway.upstreams'],
    ['gateway.routing=/routing', 'gateway.routing'],
    ['gateway.corsOrigins=*', 'gateway.corsOrigins'],
    ['gateway.corsOrigins=https://chat.example.com/', 'gateway.corsOrigins'],
    ['gateway.voteKey=short', 'gateway.voteKey'],
    [`gateway.voteKey=${'a'.repeat(32)},short`, 'gateway.voteKey'],
    ['gateway.userSalt=pepper', 'gateway.userSalt'],
  ])('refuses %s', (set, named) => {
    const refused = message(() => load(set))
    expect(refused).toContain(named)
    expect(refused).not.toMatch(/secret@|pepper|=short/)
  })

  it('names all that the command needs', () => {
    const refused = message(() => requireFor(load(), 'gateway'))
    for (const key of ['gateway.upstreams', 'gateway.userSalt', 'stream.brokers', 'stream.topic'])
      expect(refused).toContain(key)
  })
})
