// Processes of one measurement, and what the kernel says of them.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'

/** Of /proc. */
const TICK_MS = 10

/** A worker of one thread at 127.0.0.1. @param places  that sessions have */
export async function startWorker(port, places) {
  const { serverDefinition } = await import('../../dist/engine/cluster/definitions.js')
  const { workerJob } = await import('../../dist/engine/cluster/worker-name.js')
  const { workerEnvironment } = await import('../../dist/worker/environment.js')
  const { ServerProcess } = await import('../../dist/worker/server-process.js')
  const job = workerJob({ version: '0', tensorflow: '0', model: null })
  const spec = { job, address: `127.0.0.1:${port}`, threads: 1, interOpThreads: places + 2 }
  const environment = workerEnvironment({ threads: 1, interOpThreads: places + 2 })
  return ServerProcess.start({ address: '127.0.0.1', definition: serverDefinition(spec), tf32: false, environment })
}

/** Processor time so far. */
export function cpuMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

/** The most memory that a process has had, its files included, in bytes. */
export const peakBytes = (pid) =>
  1024 * Number(/^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1])

export function freePort() {
  return new Promise((done) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => done(port))
    })
  })
}
