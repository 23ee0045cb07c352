import { isIP } from 'node:net'
import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** What must hold for a worker, and for who leads it. */
export function* workerRules({ leader, worker }: Config): Generator<Problem> {
  if (leader.address !== null) yield* leaderRules(leader.address)
  const { address, port, probePort, admitAnyNetwork } = worker
  const key = 'worker.address'
  if (!isAddress(address)) yield { key, text: notAddress(address) }
  else if (isEveryAddress(address) && !admitAnyNetwork)
    yield {
      key,
      text: `${address} is every address of the machine, and whoever reaches one can run any program as the worker; name the address that the leader reaches, or set worker.admitAnyNetwork=true if nobody else can reach any`,
    }
  if (port === probePort) yield { key: 'worker.probePort', text: `expected another port than worker.port (${port})` }
}

function* leaderRules(address: string): Generator<Problem> {
  const key = 'leader.address'
  if (!isAddress(address)) yield { key, text: notAddress(address) }
  else if (isEveryAddress(address))
    yield {
      key,
      text: `${address} is every address of the machine, and none that workers could reach; name the one at which they reach the daemon`,
    }
}

const isAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes('%')
const notAddress = (text: string): string => `expected an IP address without a zone, got ${JSON.stringify(text)}`

/** Whether an IP address is a wildcard, however it is written. */
function isEveryAddress(address: string): boolean {
  if (isIP(address) === 4) return address === '0.0.0.0'
  return ['[::]', '[::ffff:0:0]'].includes(new URL(`http://[${address}]`).hostname)
}
