import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { kafkaLibs, startBroker } from '../../../src/demo/kafka/broker.js'

const dir = mkdtempSync(join(tmpdir(), 'bcod-broker-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))
afterEach(() => void vi.unstubAllEnvs())

test('missing jars are an error with a remedy', async () => {
  await expect(startBroker({ cacheRoot: dir })).rejects.toMatchObject({
    code: 'BROKER_JARS_MISSING',
    place: join(dir, 'kafka'),
    remedy: expect.stringContaining('scripts/kafka-jars.mjs'),
  })
})

test('a missing Java is an error with a remedy', async () => {
  vi.stubEnv('PATH', dir)
  await expect(startBroker()).rejects.toMatchObject({
    code: 'BROKER_JAVA_MISSING',
    remedy: expect.stringContaining('17'),
  })
})

test('a Java that is too old is an error that says which', async () => {
  writeFileSync(join(dir, 'java'), '#!/bin/sh\necho "openjdk 11.0.2 2019-01-15"\n', { mode: 0o755 })
  vi.stubEnv('PATH', `${dir}:/bin:/usr/bin`)
  await expect(startBroker()).rejects.toMatchObject({ code: 'BROKER_JAVA_MISSING', message: 'found Java 11' })
})

test('finds the jars where the set-up puts them', () => {
  expect(readFileSync('scripts/kafka-jars.mjs', 'utf8')).toContain(kafkaLibs().split('/').at(-2))
})

test('of two versions in the cache the newer one counts, as versions are ordered', () => {
  for (const version of ['4.9.0', '4.10.0']) mkdirSync(join(dir, 'two', 'kafka', version, 'libs'), { recursive: true })
  expect(kafkaLibs(join(dir, 'two'))).toBe(join(dir, 'two', 'kafka', '4.10.0', 'libs'))
})

test('a port that is taken is an error that shows what the broker says', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  await expect(startBroker({ dir: join(dir, 'taken'), port })).rejects.toMatchObject({
    code: 'BROKER_START_FAILED',
    message: expect.stringMatching(/in use/i),
  })
  server.close()
})
