// This command again, in a network of its own whose connections have so many Gbit/s.
import { spawnSync } from 'node:child_process'

const MARK = 'BENCH_LINK'

/** Whether this process is in such a network. */
export const hasLink = () => process.env[MARK] !== undefined

/** @param gigabits  a second */
export function runWithLink(gigabits) {
  const rate = `${Math.round(gigabits * 1e6)}kbit`
  const network = `ip link set lo mtu 1500 up && tc qdisc add dev lo root tbf rate ${rate} burst 128kb latency 500ms`
  const command = ['unshare', '-n', 'sh', '-c', `${network} && exec "$@"`, 'sh', ...process.argv]
  const { status } = spawnSync(command[0], command.slice(1), { stdio: 'inherit', env: { ...process.env, [MARK]: '1' } })
  process.exit(status ?? 1)
}
