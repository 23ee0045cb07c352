import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** What must hold for the gate's own programs, services and files. No problem repeats a URL: it may hold a password. */
export function* gateRules({ gate, eval: { holdOut, holdOutKeep } }: Config): Generator<Problem> {
  if (holdOut > 0 && gate.holdOutMin > holdOutKeep)
    yield { key: 'gate.holdOutMin', text: `expected at most eval.holdOutKeep (${holdOutKeep}), got ${gate.holdOutMin}` }
  if (gate.holdOutRequired && holdOut === 0) yield { key: 'gate.holdOutRequired', text: 'requires eval.holdOut' }
  for (const [i, { name, command }] of gate.exec.entries()) {
    if (!NAME.test(name)) yield { key: 'gate.exec', text: `number ${i + 1}: ${BAD_NAME}` }
    if (command.length === 0) yield { key: 'gate.exec', text: `number ${i + 1}: expected a command` }
  }
  for (const [i, { name, url }] of gate.webhook.entries()) {
    if (!NAME.test(name)) yield { key: 'gate.webhook', text: `number ${i + 1}: ${BAD_NAME}` }
    if (url === null || !isPlainUrl(url))
      yield {
        key: 'gate.webhook',
        text: `number ${i + 1}: expected a url with http:// or https://, without a user name, ? and #; a key belongs into token`,
      }
  }
  const checks = {
    exec: gate.exec.map(({ name }) => name),
    webhook: gate.webhook.map(({ name }) => name),
    probes: gate.probes.map(stem),
    golden: gate.golden.map(stem),
  }
  for (const [key, names] of Object.entries(checks))
    if (new Set(names).size < names.length)
      yield { key: `gate.${key}`, text: 'two of them have the same name, so their checks would have it too' }
}

/** Names are part of a report and of a metric's label. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$/
const BAD_NAME = 'expected a name of letters, digits, - and _, at most 40'

function isPlainUrl(text: string): boolean {
  if (!URL.canParse(text)) return false
  const { protocol, username, password } = new URL(text)
  return ['http:', 'https:'].includes(protocol) && username === '' && password === '' && !/[?#]/.test(text)
}

/** The part of a path that names its check. */
const stem = (path: string): string => path.replace(/^.*\//, '').replace(/\.[^.]*$/, '')
