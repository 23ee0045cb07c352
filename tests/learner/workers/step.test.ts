import { afterEach, expect, test, vi } from 'vitest'
import { Session } from '../../../src/engine/index.js'
import { startWorkers } from '../../support/started-workers.js'
import { learnt } from './led-learner.js'

afterEach(() => vi.restoreAllMocks())

/** Of rank 4 on all linear layers of tiny_llama: two layers of 2 × 4 (64 + 64) + 2 × 4 (64 + 32) + 3 × 4 (64 + 128). */
const PARAMETERS = 8192

test('a leader and two workers learn bit by bit what one process learns', async () => {
  const alone = learnt([])
  const workers = await startWorkers(2)
  const start = vi.spyOn(Session.prototype, 'start')
  const led = learnt(workers.map(({ address }) => address))
  const used = start.mock.calls.filter(([name]) => name.startsWith('accumulate_')).map(([, , place]) => place)
  expect([...new Set(used)].sort()).toEqual([0, 1, 2])
  expect(led.dropped).toEqual([])
  expect(led.result).toEqual(alone.result)
  // each of two steps has two batches for a worker, which gives two gradients back and gets the adapter
  const adapter = 4 * PARAMETERS
  expect(led.linkBytes[0]).toBe(0)
  for (const bytes of led.linkBytes.slice(1)) expect(bytes).toBeGreaterThan(2 * 3 * adapter)
})
