import { afterEach, expect, test, vi } from 'vitest'
import { Session } from '../../../src/engine/index.js'
import { learnt, startWorkers } from './led-learner.js'

afterEach(() => vi.restoreAllMocks())

test('a leader and two workers learn bit by bit what one process learns', async () => {
  const alone = learnt([])
  const workers = await startWorkers(2)
  const start = vi.spyOn(Session.prototype, 'start')
  const led = learnt(workers.map(({ address }) => address))
  const used = start.mock.calls.filter(([name]) => name.startsWith('accumulate_')).map(([, , place]) => place)
  expect([...new Set(used)].sort()).toEqual([0, 1, 2])
  expect(led.dropped).toEqual([])
  expect(led.result).toEqual(alone.result)
})
