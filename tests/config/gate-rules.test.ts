import { expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { showConfig } from '../../src/config/show.js'
import { refusal } from './scratch.js'

const load = (...set: string[]) => loadConfig({ env: {}, set })
const hook = (key: string, ...entries: readonly object[]) => `gate.${key}=${JSON.stringify(entries)}`

it('programs and services are named, and a token is not shown', () => {
  const config = load(
    hook('exec', { name: 'safety', command: ['./check.sh', '-v', '-v'] }),
    hook('webhook', { name: 'quality', url: 'https://eval.example.com/gate', token: 's3cr3t' }),
  )
  expect(config.gate.exec).toEqual([{ name: 'safety', command: ['./check.sh', '-v', '-v'] }])
  expect(config.gate.webhook[0]).toMatchObject({ name: 'quality', token: 's3cr3t' })
  expect(JSON.stringify(showConfig(config))).not.toContain('s3cr3t')
})

it.each([
  [hook('exec', { name: 'safety' }), 'gate.exec: number 1: expected a command'],
  [
    hook('exec', { name: 'two words', command: ['x'] }),
    'gate.exec: number 1: expected a name of letters, digits, - and _, at most 40',
  ],
  [hook('webhook', { name: 'quality' }), 'gate.webhook: number 1: expected a url with http:// or https://'],
  [hook('webhook', { url: 'ftp://host/' }), 'gate.webhook: number 1: expected a url'],
  [hook('webhook', { url: 'https://ann:s3cr3t@host/' }), 'gate.webhook: number 1: expected a url'],
  [hook('webhook', { url: 'https://host/?key=s3cr3t' }), 'gate.webhook: number 1: expected a url'],
  [hook('exec', { command: ['a'] }, { command: ['b'] }), 'gate.exec: two of them have the same name'],
  ['gate.holdOutRequired=true', 'gate.holdOutRequired: requires eval.holdOut'],
  ['gate.probes=["a/tone.jsonl", "b/tone.jsonl"]', 'gate.probes: two of them have the same name'],
])('%s is refused', (set, text) => {
  const { code, place, message } = refusal(() => load(set))
  expect(code).toBe('CONFIG_INVALID')
  expect(`${place}: ${message}`).toContain(text)
  expect(message).not.toContain('s3cr3t')
})

it('more held-out votes may not be asked for than are kept', () => {
  const { place, message } = refusal(() => load('eval.holdOut=0.1', 'gate.holdOutMin=20', 'eval.holdOutKeep=10'))
  expect(`${place}: ${message}`).toContain('gate.holdOutMin: expected at most eval.holdOutKeep (10), got 20')
  expect(load('gate.holdOutMin=20', 'eval.holdOutKeep=10').gate.holdOutMin).toBe(20)
})
