import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError } from '../../errors.js'
import { print, printJson, say } from '../print.js'
import { openDestination } from './destination.js'
import { type ImportFlags, usage } from './flags.js'
import { durationOf, originOf } from './origin.js'
import { importPass } from './pass.js'

const EVERY = 60_000

/**
 * Asks a product again and again until SIGINT or SIGTERM. What may pass by itself is said and tried again at the next turn:
 * the state then still has where the last good one ended.
 *
 * @throws USAGE, and what does not pass by itself
 */
export async function follow(flags: ImportFlags): Promise<void> {
  if (flags.url === undefined) throw usage('expected --url: a file does not change', '--follow')
  if (flags.state === undefined) throw usage('expected --state, to remember where it was', '--follow')
  if (flags.out !== undefined) throw usage('expected the topic, not --out: a file is whole or not there', '--follow')
  const every = flags.every === undefined ? EVERY : durationOf(flags.every, '--every')
  const end = new AbortController()
  const stop = () => end.abort()
  process.once('SIGINT', stop).once('SIGTERM', stop)
  const origin = originOf(flags, end.signal)
  const destination = await openDestination(flags)
  try {
    while (!end.signal.aborted) {
      await turn(async () => {
        const report = await importPass(flags, origin, destination)
        if (flags.json) printJson({ ...report, time: new Date().toISOString(), out: destination.name })
        else print(`${new Date().toISOString()}  ${report.events} events, ${report.skipped} skipped`)
      }, end.signal)
      await sleep(every, undefined, { signal: end.signal }).catch(() => undefined)
    }
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop)
    await destination.close()
  }
}

async function turn(run: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await run()
  } catch (error) {
    if (signal.aborted) return
    if (!(error instanceof BcodError && error.retryable)) throw error
    say(error.line)
  }
}
