import { beforeAll, expect, onTestFinished, test, vi } from 'vitest'
import { Leader } from '../../../src/engine/cluster/leader.js'
import { probeWorker } from '../../../src/engine/cluster/probe.js'
import { FunctionLibrary, Session, tf, traceProgram } from '../../../src/engine/index.js'
import { LEADER, Network } from '../../support/network.js'
import { startWorkers } from '../../support/started-workers.js'
import { freePorts, IDENTITY } from '../../support/worker-process.js'

vi.mock(import('../../../src/engine/tensorflow.js'), async (load) => {
  const { behindLink } = await import('../../support/network.js')
  return behindLink(await load())
})

const V = { name: 'v', shape: [2], dtype: 'float32' } as const

let leader: Leader
let leaderPort: number
beforeAll(async () => {
  ;[leaderPort] = (await freePorts(1)) as [number]
  leader = Leader.serve({ address: LEADER, port: leaderPort, threads: 1, interOpThreads: 1, places: 2 })
})

function open(worker: string) {
  const { device, ...over } = leader.session([worker], 3000)
  const places = {
    devices: [device(0, 'CPU:0'), device(1, 'CPU:0')],
    workers: [null, worker],
    atFirstOnly: [],
    ...over,
  }
  const dropped: unknown[] = []
  const library = new FunctionLibrary()
  const look = traceProgram(library, 'look', {}, ({ read }) => ({ v: tf.add(read(V), 0) }))
  const session = new Session(library, [V], [look], 'graph', {
    places,
    onDropped: (place, { code, place: at }) => dropped.push({ place, code, at }),
  })
  onTestFinished(() => session.dispose())
  return { session, dropped }
}

const valuesAt = (session: Session, place: number) => [...(session.readAt(place, 'v')[0] ?? [])]

test.each([
  {
    what: 'nothing comes to it',
    part: (network: Network) => network.part(),
    // it has to be told of a run that is new first, for which TensorFlow knows no limit
    run: (session: Session) => session.spread('v'),
  },
  {
    what: 'nothing comes from it',
    part: (network: Network) => network.partFromWorker(),
    // it has to ask the leader for the values
    run: (session: Session) => session.write({ v: Float32Array.of(7, 8) }, 1),
  },
])(
  'a worker is dropped when $what, and what it does later is nothing to the session that has it again',
  async (fault) => {
    const [worker] = await startWorkers(1)
    const network = await Network.around({ port: worker!.port, pid: worker!.server.pid! }, leaderPort)
    onTestFinished(() => network.close())
    const { address } = network
    const { session, dropped } = open(address)
    session.write({ v: Float32Array.of(1, 2) })
    expect(valuesAt(session, 1)).toEqual([1, 2])

    fault.part(network)
    fault.run(session)
    expect(dropped).toEqual([{ place: 1, code: 'WORKER_TIMEOUT', at: address }])
    await expect(probeWorker(address, IDENTITY, 300)).rejects.toMatchObject({ code: 'WORKER_UNREACHABLE' })
    session.write({ v: Float32Array.of(5, 6) })
    expect(valuesAt(session, 0)).toEqual([5, 6])

    network.mend()
    const { session: next } = open(address)
    next.write({ v: Float32Array.of(3, 4) })
    for (const place of [0, 1]) expect(valuesAt(next, place)).toEqual([3, 4])
  },
)
