import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** What the gate's objects must hold. Values are not repeated: they may hold a secret that is in the wrong place. */
export function* gateRules({ gate }: Config): Generator<Problem> {
  for (const [name, command] of Object.entries(gate.exec)) {
    if (!NAME.test(name)) yield { key: 'gate.exec', text: BAD_NAME }
    else if (!isCommand(command))
      yield { key: 'gate.exec', text: `expected a list of program and arguments for ${name}` }
  }
  for (const [name, url] of Object.entries(gate.webhook)) {
    if (!NAME.test(name)) yield { key: 'gate.webhook', text: BAD_NAME }
    else if (!isAddress(url))
      yield {
        key: 'gate.webhook',
        text: `expected a URL with http:// or https:// for ${name}, without a user name, ? and #; a key belongs into gate.webhookToken`,
      }
  }
  const twice = [gate.probes, gate.golden].find((paths) => new Set(paths.map(stem)).size < paths.length)
  if (twice !== undefined)
    yield {
      key: twice === gate.probes ? 'gate.probes' : 'gate.golden',
      text: 'two files have the same name, so their checks would',
    }
}

/** Names are part of a metric's label and of a report. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/
const BAD_NAME = 'expected names of letters, digits, - and _, at most 40'

const isCommand = (value: unknown): boolean =>
  Array.isArray(value) && value.length > 0 && value.every((part) => typeof part === 'string' && part !== '')

const isAddress = (value: unknown): boolean =>
  typeof value === 'string' &&
  URL.canParse(value) &&
  ['http:', 'https:'].includes(new URL(value).protocol) &&
  !/[?#@]/.test(value)

/** The part of a path that names its check. */
const stem = (path: string): string => path.replace(/^.*\//, '').replace(/\.[^.]*$/, '')
