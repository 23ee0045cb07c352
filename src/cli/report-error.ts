import { CommanderError } from 'commander'
import { BcodError, isUsageError } from '../errors.js'
import { InvalidRows } from '../events/invalid-rows.js'
import { namedRows } from './invalid-rows.js'
import { say } from './print.js'

/**
 * Says on stderr what went wrong and what to do next, and returns the exit code: 0 where only help was asked for, 2 for
 * wrong usage or configuration, else 1.
 *
 * @param debug  with the stack, and those of its causes
 */
export function reportError(error: unknown, debug: boolean): number {
  if (error instanceof CommanderError && isHelp(error)) return error.exitCode === 0 ? 0 : 2
  const coded = toCoded(error)
  say(`${coded instanceof InvalidRows ? namedRows(coded.rows) : coded.line}\n  -> ${coded.remedy}`)
  if (debug) for (const stack of stacks(error)) say(stack)
  return isUsageError(coded) ? 2 : 1
}

/** Help and version, which commander has printed already. */
const isHelp = ({ code }: CommanderError) =>
  ['commander.help', 'commander.helpDisplayed', 'commander.version'].includes(code)

function toCoded(error: unknown): BcodError {
  if (error instanceof BcodError) return error
  if (error instanceof CommanderError) return new BcodError('USAGE', oneLine(error.message.replace(/^error: /, '')))
  const message = error instanceof Error ? error.message : String(error)
  const remedy = 'Run it again with --debug and report what it prints.'
  return new BcodError('INTERNAL', oneLine(message), { cause: error, remedy })
}

const oneLine = (text: string) => text.trim().replace(/\s*\n\s*/g, ' ')

function* stacks(error: unknown): Generator<string> {
  for (let each = error; each instanceof Error; each = each.cause) yield each.stack ?? each.message
}
