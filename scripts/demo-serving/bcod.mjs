// bcod's own commands as processes that do not outlive this one.
import { setTimeout as sleep } from 'node:timers/promises'
import { startGuarded } from '../../dist/demo/kafka/guarded-process.js'

const EXAMPLES = { run: 'examples/chat/bcod.yaml', gateway: 'examples/chat/gateway.yaml' }
const READY_MS = 300_000

/** `bcod run` or `bcod gateway` with its file of examples/chat, settings by key, and secrets of its own. */
export function startBcod(command, settings, logFile) {
  const flags = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${JSON.stringify(value)}`])
  const secrets = { BCOD_GATEWAY_VOTE_KEY: crypto.randomUUID(), BCOD_GATEWAY_USER_SALT: crypto.randomUUID() }
  return startGuarded(process.execPath, ['dist/cli.js', command, '--config', EXAMPLES[command], ...flags], {
    ...{ cwd: process.cwd(), logFile, ownGroup: true, env: { ...process.env, ...secrets } },
  })
}

/** @param port  of its probes */
export async function untilReady(child, port, signal) {
  const isReady = () =>
    fetch(`http://127.0.0.1:${port}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    )
  for (const end = Date.now() + READY_MS; !(await isReady()); await sleep(200, null, { signal }))
    if (child.ended() !== null || Date.now() > end)
      throw new Error(`bcod is not ready:\n${child.log().split('\n').slice(-20).join('\n')}`)
}
