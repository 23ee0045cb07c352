import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { program } from '../../src/cli/program.js'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { environmentName, groups, settings } from '../../src/config/schema.js'
import { ERRORS } from '../../src/errors.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js'
import { Metrics } from '../../src/telemetry/metrics.js'

const read = (path: string) => readFileSync(path, 'utf8')
const readme = read('README.md')
const commandsPage = read('docs/commands.md')
const inDocs = readdirSync('docs', { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.md'))
  .map((name) => join('docs', name))
const roots = readdirSync('.').filter((name) => name.endsWith('.md'))
const markdown = [...roots, 'scripts/demo-model/README.md', ...inDocs]
/** Pages that name keys, codes and commands as they are now: a decision or a change log speaks of its own time. */
const current = [...roots, ...inDocs].filter((page) => page !== 'CHANGELOG.md' && !page.startsWith('docs/adr/'))

const withoutBlocks = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '')
const blocks = (text: string) => [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map((match) => match[1]!)
const inlineCode = (text: string) => [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!)

/** Command lines of `node dist/cli.js`. */
function commandLines(text: string): readonly string[] {
  const written = [...blocks(text).join('\n').split('\n'), ...inlineCode(text)]
  const full = written.flatMap((line) => /node dist\/cli\.js ([a-z][^#\n]*)/.exec(line)?.slice(1, 2) ?? [])
  return full
}

/** Those that the table of docs/commands.md lists without `node dist/cli.js`. */
const listedCommands = commandsPage
  .split('\n')
  .flatMap((row) => (/^\| `[a-z]/.test(row) ? row.split(' | ').slice(0, 1) : []))
  .flatMap(inlineCode)

/** The command that a line runs, by as many of its first words as name one. */
function commandOf(line: string): { readonly command: Command; readonly rest: string } {
  let command: Command = program()
  let rest = line
  for (;;) {
    const [word = ''] = rest.split(' ')
    const child = command.commands.find((each) => each.name() === word)
    if (child === undefined) return { command, rest }
    command = child
    rest = rest.slice(word.length + 1)
  }
}

/** The command line has this command, with these options. */
function expectCommand(line: string): void {
  const { command, rest } = commandOf(line)
  expect(command.name(), line).not.toBe('bcod')
  const options = command.options.map(({ long }) => long)
  for (const [flag] of rest.matchAll(/--[a-z][a-z-]*/g)) expect([...options, '--help'], line).toContain(flag)
}

/** What bcod makes of a vote as it stands in a record. */
function accepted(json: string) {
  const position = { topic: 'feedback', partition: 0, offset: 0, timestamp: 0 }
  return toFeedback(decodeEnvelope(Buffer.from(json), {}, 2 ** 20), position, { vocabSize: 1000 })
}

describe('the documentation', () => {
  it.each(current)('%s names make targets that are there, and every shell block parses', (page) => {
    const text = read(page)
    const targets = read('Makefile').match(/^[a-z][a-z0-9-]*(?=:)/gm)
    const code = [...blocks(text).flatMap((block) => block.split('\n')), ...inlineCode(text)]
    for (const line of code)
      for (const [, name] of line.matchAll(/\bmake ([a-z][a-z0-9-]*)/g)) expect(targets, line).toContain(name)
    for (const [, script] of text.matchAll(/^```sh\n([\s\S]*?)^```/gm)) execFileSync('bash', ['-n', '-c', script!])
  })

  it.each(markdown)('%s links to files that are there', (page) => {
    const links = [...withoutBlocks(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
    const missing = links
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => !existsSync(resolve(dirname(page), link.split('#')[0]!)))
    expect(missing).toEqual([])
  })

  it.each(current)('%s names commands and options that the command line has', (page) => {
    for (const line of commandLines(read(page))) expectCommand(line)
  })

  it.each(current)('%s names keys, variables, metrics and codes that the code has', (page) => {
    const text = read(page)
    const code = [...inlineCode(text), ...blocks(text).flatMap((block) => block.split(/[\s"']+/))]
    const notKeys = /\.(json|jsonl|yaml|safetensors|ts|md|mjs|bin|js|end|done|read|write|seek)$/
    const keys = code
      .map((word) => word.split('=')[0]!)
      .filter((word) => groups.has(word.split('.')[0]!) && /^[a-zA-Z.]+$/.test(word) && word.includes('.'))
      .filter((word) => !notKeys.test(word))
    for (const key of keys) expect([...settings.keys(), ...groups], key).toContain(key)
    const variables = [...settings.keys()].map(environmentName)
    for (const [name] of text.matchAll(/\bBCOD_[A-Z0-9_]+/g))
      expect([...variables, 'BCOD_TF', 'BCOD_CACHE']).toContain(name)
    const metrics = [...new Metrics().catalogue, ...new GatewayMetrics().catalogue].map(({ name }) => name)
    for (const [name] of text.matchAll(/\bbcod_[a-z_]+/g)) expect(metrics).toContain(name)
    const codes = inlineCode(text).filter((word) =>
      /^(?!AWS_|BCOD_|TF_|VLLM_|CE_)[A-Z]+(_[A-Z]+)+$|^FENCED$/.test(word),
    )
    for (const word of codes) expect(Object.keys(ERRORS)).toContain(word)
  })
})

describe('docs/README.md', () => {
  it('lists every page', () => {
    const index = read('docs/README.md')
    const pages = readdirSync('docs').filter((name) => name.endsWith('.md') && name !== 'README.md')
    expect(pages.filter((name) => !index.includes(`](${name})`))).toEqual([])
  })
})

describe('docs/commands.md', () => {
  it('lists every command, with options that it has', () => {
    for (const line of listedCommands) expectCommand(line)
    const listed = new Set(listedCommands.map((line) => line.split(' ')[0]))
    for (const command of program().commands) expect([...listed]).toContain(command.name())
  })
})

describe('README.md', () => {
  it('is short enough to be read', () => {
    expect(readme.split('\n').length).toBeLessThan(250)
  })

  it('shows a vote that is accepted', () => {
    const [, vote] = /^```json\n([\s\S]*?)^```/m.exec(readme)!
    expect(accepted(vote!)).toMatchObject({ label: true, subject: 'cmpl-1', user: 'u-1' })
  })
})

describe('examples/publish-votes.mjs', () => {
  const script = read('examples/publish-votes.mjs')

  it('publishes votes that are accepted', () => {
    const body = /^function (vote\(\{[\s\S]*?\n\})/m.exec(script)![1]!
    const vote = new Function(`return function ${body}`)() as (fields: object) => object
    const fields = { completionId: 'cmpl-1', user: 'u-1', prompt: [{ role: 'user', content: 'Hello' }] }
    const built = JSON.stringify(vote({ ...fields, completion: 'Hi', label: false }))
    expect(accepted(built)).toMatchObject({ label: false, subject: 'cmpl-1', user: 'u-1' })
  })

  it('publishes to the broker and the topic of examples/bcod.yaml', () => {
    const { brokers, topic } = loadConfig({ file: 'examples/bcod.yaml', env: {} }).stream
    expect(script).toContain(`brokers: ['${brokers[0]}']`)
    expect(script).toContain(`topic: '${topic}'`)
  })
})

describe('examples/bcod.yaml', () => {
  const config = requireFor(loadConfig({ file: 'examples/bcod.yaml', env: {} }), 'run')

  it('is a configuration that `bcod run` takes, with the paths, topic and port of README.md', () => {
    expect(readme).toContain(`${config.adapters.dir}/live`)
    expect(read('docs/restarts.md')).toContain(`--lineage ${config.checkpoint.dir}`)
    expect(readme).toContain(`cp -r src/demo/model ${config.model.path}`)
    expect(readme).toContain(`sed 's/maxLength: ${config.limits.maxLength}/maxLength: 96/'`)
    expect(readme).toContain(`--bootstrap-server ${config.stream.brokers[0]} --create --topic ${config.stream.topic} `)
    expect(readme).toContain(`http://${config.server.host}:${config.server.port}/`)
  })
})
