import { isIP } from 'node:net'
import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** What must hold for a worker. */
export function* workerRules({ worker }: Config): Generator<Problem> {
  const { address, port, probePort, admitAnyNetwork } = worker
  const key = 'worker.address'
  if (isIP(address) === 0 || address.includes('%'))
    yield { key, text: `expected an IP address without a zone, got ${JSON.stringify(address)}` }
  else if (isEveryAddress(address) && !admitAnyNetwork)
    yield {
      key,
      text: `${address} is every address of the machine, and whoever reaches one can run any program as the worker; name the address that the leader reaches, or set worker.admitAnyNetwork=true if nobody else can reach any`,
    }
  if (port === probePort) yield { key: 'worker.probePort', text: `expected another port than worker.port (${port})` }
}

/** Whether an IP address is a wildcard, however it is written. */
function isEveryAddress(address: string): boolean {
  if (isIP(address) === 4) return address === '0.0.0.0'
  return ['[::]', '[::ffff:0:0]'].includes(new URL(`http://[${address}]`).hostname)
}
