import type { ServerProcess } from '../../src/worker/server-process.js'
import { freePorts, startServer } from './worker-process.js'

export interface StartedWorker {
  readonly port: number
  readonly address: string
  readonly server: ServerProcess
}

/** Workers of this machine; they end with the test. */
export async function startWorkers(count: number): Promise<readonly StartedWorker[]> {
  const ports = await freePorts(count)
  const servers = await Promise.all(ports.map((port) => startServer(port)))
  return ports.map((port, i) => ({ port, address: `127.0.0.1:${port}`, server: servers[i] as ServerProcess }))
}
