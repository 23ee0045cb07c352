import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { ERRORS } from '../errors.js'
import { addonPath } from './own-addons.js'

/** What the small addon of the set-up offers (scripts/addon/death-notice.cc). */
interface DeathNotice {
  nameDeaths(heads: readonly string[], tails: readonly string[]): void
}

/** The signals of a crash, in the addon's order, with what each means. */
const DEATHS = {
  SIGSEGV: 'it read or wrote memory that is not its own',
  SIGBUS: 'a mapped file has been cut short, or memory is damaged',
  SIGILL: 'the processor does not know the instruction',
  SIGFPE: 'an integer was divided by zero',
  SIGABRT: 'it gave up, for the reason on the lines above',
} as const satisfies Partial<Record<NodeJS.Signals, string>>

/**
 * From here on a crash of native code is named on stderr before it ends the process: TensorFlow runs inside it, so no
 * error reaches JavaScript. One JSON line, in the form of the daemon's log, or the form of a command's errors.
 */
export function nameDeaths(json: boolean): void {
  const path = addonPath('deathNotice')
  // without the set-up there is nothing to load, and TensorFlow's own addon says so
  if (!existsSync(path)) return
  const lines = Object.entries(DEATHS).map(([signal, meaning]) => line(signal, meaning, json))
  const { nameDeaths } = createRequire(import.meta.url)(path) as DeathNotice
  nameDeaths(
    lines.map(([head]) => head),
    lines.map(([, tail]) => tail),
  )
}

/** What stands before and after the place of the crash. */
function line(signal: string, meaning: string, json: boolean): readonly [head: string, tail: string] {
  const { remedy } = ERRORS.NATIVE_DEATH
  const text = `native code crashed, ${signal}: ${meaning}; at ${PLACE}`
  const whole = json
    ? `${JSON.stringify({ level: 'fatal', service: 'bcod', pid: process.pid, code: 'NATIVE_DEATH', signal, remedy, msg: text })}\n`
    : `NATIVE_DEATH: ${text}\n  -> ${remedy}\n`
  const [head = '', tail = ''] = whole.split(PLACE)
  return [head, tail]
}

const PLACE = '{place}'
