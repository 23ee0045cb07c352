import { beforeAll, expect, test } from 'vitest'
import { Leader } from '../../../src/engine/cluster/leader.js'
import { FunctionLibrary } from '../../../src/engine/index.js'
import { OpenSession } from '../../../src/engine/open-session.js'
import { type StartedWorker, startWorkers } from '../../support/started-workers.js'
import { freePorts } from '../../support/worker-process.js'

let leader: Leader
beforeAll(async () => {
  const [port] = (await freePorts(1)) as [number]
  leader = Leader.serve({ address: '127.0.0.1', port, threads: 1, interOpThreads: 1, places: 3 })
})

function open(workers: readonly StartedWorker[], limit: number): OpenSession {
  const addresses = workers.map(({ address }) => address)
  const { target, config, device } = leader.session(addresses, 60_000)
  const places = {
    devices: [leader, ...workers].map((_, task) => device(task, 'CPU:0')),
    workers: [null, ...addresses],
    atFirstOnly: [],
    ...{ target, config },
  }
  const content = { library: new FunctionLibrary(), variables: [], programs: [], executor: 'graph' as const }
  return OpenSession.open(content, places, limit)
}

test.each(['SIGSTOP', 'SIGKILL'] as const)(
  'a worker that goes away by %s before the session opens is named, and the session opens without it at once',
  async (signal) => {
    const [first, second] = (await startWorkers(2)) as [StartedWorker, StartedWorker]
    open([first, second], 30_000).close()
    process.kill(second.server.pid!, signal)
    const away = expect.objectContaining({ code: 'WORKER_UNREACHABLE', place: second.address })
    expect(() => open([first, second], 1500)).toThrow(away)
    open([first], 30_000).close()
    if (signal === 'SIGSTOP') {
      process.kill(second.server.pid!, 'SIGCONT')
      open([first, second], 30_000).close()
    }
  },
)
