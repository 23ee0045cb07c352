import { spawnSync } from 'node:child_process'
import { afterEach, expect, test, vi } from 'vitest'
import { Session } from '../../../src/engine/index.js'
import { learnt, startWorkers } from './led-learner.js'

afterEach(() => vi.restoreAllMocks())

/** Kills a process, and returns when it is dead. */
function kill(pid: number | undefined) {
  process.kill(pid!, 'SIGKILL')
  spawnSync('sh', ['-c', 'sleep 0.3'])
}

test('a worker that is killed in an accumulate', async () => {
  const alone = learnt([])
  const workers = await startWorkers(2)
  const { start } = Session.prototype
  let count = 0
  vi.spyOn(Session.prototype, 'start').mockImplementation(function (this: Session, name, inputs, place) {
    if (name.startsWith('accumulate_') && place === 1 && ++count === 3) kill(workers[0]!.server.pid)
    return start.call(this, name, inputs, place)
  })
  const led = learnt(workers.map(({ address }) => address))
  expect(led.dropped).toEqual([{ place: 1, code: 'WORKER_LOST', at: workers[0]!.address }])
  expect(led.result).toEqual(alone.result)
})
