// One process against a leader and a worker, on this machine, one thread each: node bench/places.mjs workers
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from '../statistics.mjs'
import { adapterBytes, SHAPES, speedUp } from './model.mjs'
import { cpuMs, freePort, startWorker } from './processes.mjs'

const WARM_UP = 2
const EMPTY_CALLS = 200
const R = 16

/**
 * @param flags  `layers`, `steps`, `block`, how many `workers`, and Gbit/s of the `link` between them if it has a limit
 * @param blockEvents  of a step
 */
export async function measureWorkers({ layers, steps, block, workers: count, link }, blockEvents) {
  const places = count + 1
  const { prepareEnvironment } = await import('../../dist/engine/environment.js')
  prepareEnvironment({ threads: 1, interOpThreads: places + 2 })
  const { BENCH_SHAPES, huggingFaceConfig } = await import('../../dist/cli/bench/shapes.js')
  const { loadConfig } = await import('../../dist/config/config.js')
  const { Learner } = await import('../../dist/learner/learner.js')
  const { writeRandomModel } = await import('../../dist/model/random-model.js')
  const shape = { ...BENCH_SHAPES['smollm2-135m'], layers }
  const leaderPort = await freePort()
  const [ports, servers] = [[], []]
  let child
  const directory = mkdtempSync(join(tmpdir(), 'bcod-places-'))
  try {
    writeRandomModel(directory, huggingFaceConfig(shape, block))
    for (let k = 0; k < count; k++) {
      ports.push(await freePort())
      servers.push(await startWorker(ports[k], places))
    }
    const settings = (devices) => [
      ...[`model.path=${directory}`, `lora.r=${R}`, `lora.alpha=${2 * R}`, `limits.maxLength=${block}`],
      ...[`batch.tokens=${block}`, `batch.size=${places}`, `devices=${JSON.stringify(devices)}`],
      ...['leader.address=127.0.0.1', `leader.port=${leaderPort}`],
    ]
    const workers = ports.map((port) => `127.0.0.1:${port}`)
    const dropped = []
    const devices = ['CPU:0', ...workers.map((worker) => `${worker}/CPU:0`)]
    const learner = new Learner(loadConfig({ env: {}, set: settings(devices) }), {
      workers,
      onDropped: (_, reason) => dropped.push(reason),
    })
    const setup = { set: settings(['CPU:0']), places, block, vocabSize: shape.vocabSize }
    child = fork(fileURLToPath(new URL('./one-process.mjs', import.meta.url)), [JSON.stringify(setup)])
    await once(child, 'message')
    const ask = async (message) => {
      child.send(message)
      return (await once(child, 'message'))[0]
    }
    const several = {
      run: (step) => learner.trainStep(blockEvents(step, places, block, shape.vocabSize)),
      ...{ pids: [process.pid, ...servers.map(({ pid }) => pid)], ms: [], cpu: [], bytes: [] },
    }
    const one = { run: ask, pids: [child.pid], ms: [], cpu: [], bytes: [] }
    for (let step = 0; step < WARM_UP + steps; step++)
      for (const side of step % 2 === 0 ? [one, several] : [several, one]) {
        const before = side.pids.map(cpuMs)
        const [bytes, started] = [bytesAt([...ports, leaderPort]), performance.now()]
        await side.run(step)
        if (step < WARM_UP) continue
        side.ms.push(performance.now() - started)
        side.cpu.push(side.pids.map((pid, i) => cpuMs(pid) - before[i]))
        side.bytes.push(bytesAt([...ports, leaderPort]) - bytes)
      }
    if (dropped.length > 0) throw dropped[0]
    if ((await ask('adapter')) !== learner.adapterSha256())
      throw new Error('one process, and leader and worker, have come to different adapters')
    const adapter = adapterBytes({ ...SHAPES['smollm2-135m'], layers }, R)
    const cpuAt = (side, at) => median(side.cpu.map((both) => both[at]))
    const cpu_ms = {
      one: cpuAt(one, 0),
      leader: cpuAt(several, 0),
      workers: servers.map((_, k) => cpuAt(several, k + 1)),
    }
    const times = one.ms.map((ms, i) => ms / several.ms[i])
    const empty_call_ms = await emptyCalls(workers[0])
    const parts = {
      ...{ block: median(one.ms) / places / 1000, bytes: adapter, call: empty_call_ms.worker / 1000 },
      link: link === null ? Number.POSITIVE_INFINITY : (link * 1e9) / 8,
    }
    return {
      ...{ places, threads: 1, layers, block, link_gigabits: link },
      step_ms: { one: median(one.ms), several: median(several.ms) },
      speed_up: { median: median(times), min: Math.min(...times), max: Math.max(...times) },
      cpu_ms,
      // what it would be on cores that nobody else uses
      speed_up_of_cpu_time: cpu_ms.one / Math.max(cpu_ms.leader, ...cpu_ms.workers),
      modelled_speed_up: speedUp(places, parts),
      bytes_a_step: median(several.bytes),
      adapter_bytes: adapter,
      bytes_over_twice_the_adapter: median(several.bytes) / (2 * adapter * count),
      empty_call_ms,
      same_adapter: true,
    }
  } finally {
    child?.kill()
    for (const server of servers) await server.stop()
    rmSync(directory, { recursive: true, force: true })
  }

  /** A program that computes next to nothing: in a session of this process, at the leader, and at the worker. */
  async function emptyCalls(address) {
    const { FunctionLibrary, Session, tf, traceProgram } = await import('../../dist/engine/index.js')
    const { Leader } = await import('../../dist/engine/cluster/leader.js')
    const leader = Leader.serve({ address: '127.0.0.1', port: leaderPort, threads: 1, interOpThreads: 4, places })
    const { target, config, device } = leader.session([address], 60_000)
    const cluster = {
      devices: [device(0, 'CPU:0'), device(1, 'CPU:0')],
      workers: [null, address],
      atFirstOnly: [],
      ...{ target, config },
    }
    const callsOf = (placed, place) => {
      const library = new FunctionLibrary()
      const body = ({ inputs }) => ({ next: tf.add(inputs.by, 1) })
      const program = traceProgram(library, 'next', { by: { shape: [], dtype: 'float32' } }, body)
      const session = new Session(library, [], [program], 'graph', placed === null ? {} : { places: placed })
      const ms = Array.from({ length: EMPTY_CALLS }, () => {
        const started = performance.now()
        session.start('next', { by: 1 }, place)()
        return performance.now() - started
      })
      session.dispose()
      return median(ms.slice(EMPTY_CALLS / 4))
    }
    return { one_process: callsOf(null, 0), leader: callsOf(cluster, 0), worker: callsOf(cluster, 1) }
  }
}

/** Bytes that connections to these ports have carried, both ways, as the kernel counts them at the end that listens. */
function bytesAt(ports) {
  const filter = ports.map((port) => `sport = :${port}`).join(' or ')
  const text = execFileSync('ss', ['-tinH', `( ${filter} )`], { encoding: 'utf8' })
  return [...text.matchAll(/\bbytes_(?:sent|received):(\d+)/g)].reduce((sum, [, bytes]) => sum + Number(bytes), 0)
}
