import { homedir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { cacheRoot } from '../../scripts/cache.mjs'
import { cacheDirectory } from '../../src/files/cache.js'

afterEach(() => void vi.unstubAllEnvs())

describe.each([
  { BCOD_CACHE: '/c', XDG_CACHE_HOME: '/x', expected: '/c' },
  { BCOD_CACHE: '', XDG_CACHE_HOME: '/x', expected: '/x/bcod' },
  { BCOD_CACHE: '', XDG_CACHE_HOME: '', expected: join(homedir(), '.cache/bcod') },
])('with BCOD_CACHE=$BCOD_CACHE and XDG_CACHE_HOME=$XDG_CACHE_HOME', ({ expected, ...variables }) => {
  it('set-up and program find the cache at the same place', () => {
    for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value)
    expect(cacheDirectory()).toBe(expected)
    expect(cacheRoot()).toBe(expected)
  })
})
