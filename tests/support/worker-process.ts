import { once } from 'node:events'
import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'
import { hostPort } from '../../src/engine/cluster/address.js'
import { serverDefinition } from '../../src/engine/cluster/definitions.js'
import { type WorkerIdentity, workerJob } from '../../src/engine/cluster/worker-name.js'
import { workerEnvironment } from '../../src/worker/environment.js'
import { ServerProcess } from '../../src/worker/server-process.js'

/** Ports that were free a moment ago. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, host))
  await Promise.all(servers.map((server) => once(server, 'listening')))
  const ports = servers.map((server) => (server.address() as { port: number }).port)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}

export const IDENTITY: WorkerIdentity = { version: '1.2.3', tensorflow: '2.21.0', model: null }

/** A worker's server without the rest of a worker. It ends with the test. */
export async function startServer(
  port: number,
  { host = '127.0.0.1', identity = IDENTITY }: { readonly host?: string; readonly identity?: WorkerIdentity } = {},
): Promise<ServerProcess> {
  const spec = { job: workerJob(identity), address: hostPort(host, port), threads: 1, interOpThreads: 4 }
  const server = await ServerProcess.start({
    ...{ address: host, definition: serverDefinition(spec), tf32: false },
    environment: workerEnvironment({ threads: 1, interOpThreads: 4 }),
  })
  onTestFinished(() => server.stop())
  return server
}
