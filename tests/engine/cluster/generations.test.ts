import { expect, onTestFinished, test } from 'vitest'
import { Leader } from '../../../src/engine/cluster/leader.js'
import { FunctionLibrary, Session, tf, traceProgram } from '../../../src/engine/index.js'
import { startWorkers } from '../../support/started-workers.js'
import { freePorts } from '../../support/worker-process.js'

const V = { name: 'v', shape: [2], dtype: 'float32' } as const

test('what an older session writes late is nothing to a newer one, at the leader and at a worker', async () => {
  const [port] = (await freePorts(1)) as [number]
  const leader = Leader.serve({ address: '127.0.0.1', port, threads: 1, interOpThreads: 1, places: 2 })
  const [worker] = await startWorkers(1)
  const open = () => {
    const { target, config, device } = leader.session([worker!.address], 60_000)
    const devices = [device(0, 'CPU:0'), device(1, 'CPU:0')]
    const places = { devices, workers: [null, worker!.address], atFirstOnly: [], target, config }
    const library = new FunctionLibrary()
    const look = traceProgram(library, 'look', {}, ({ read }) => ({ v: tf.add(read(V), 0) }))
    const session = new Session(library, [V], [look], 'graph', { places })
    onTestFinished(() => session.dispose())
    return session
  }
  const older = open()
  older.write({ v: Float32Array.of(1, 2) })
  const newer = open()
  for (const place of [0, 1])
    expect(() => newer.readAt(place, 'v'), `before, at ${place}`).toThrow(/FAILED_PRECONDITION: .*variable/)
  newer.write({ v: Float32Array.of(3, 4) })
  older.write({ v: Float32Array.of(5, 6) })
  for (const place of [0, 1]) expect([...newer.readAt(place, 'v')[0]!]).toEqual([3, 4])
})
