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
import { Metrics } from '../../src/telemetry/metrics.js'

const read = (path: string) => readFileSync(path, 'utf8')
const readme = read('README.md')
const markdown = [
  'README.md',
  'scripts/demo-model/README.md',
  ...readdirSync('docs', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]
/** Pages that name keys, codes and commands as they are now; a decision tells of its time. */
const current = [
  'README.md',
  'docs/ARCHITECTURE.md',
  'docs/capacity.md',
  'docs/deployment.md',
  'docs/performance.md',
  'docs/runbook.md',
  'docs/security.md',
]

const withoutBlocks = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '')
const blocks = (text: string) => [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map((match) => match[1]!)
const inlineCode = (text: string) => [...withoutBlocks(text).matchAll(/`([^`\n]+)`/g)].map((match) => match[1]!)

/** Command lines of `node dist/cli.js`, and those that the table of commands lists without it. */
function commandLines(text: string): readonly string[] {
  const written = [...blocks(text).join('\n').split('\n'), ...inlineCode(text)]
  const full = written.flatMap((line) => /node dist\/cli\.js ([a-z][^#\n]*)/.exec(line)?.slice(1, 2) ?? [])
  const table = text.split('## Commands')[1]?.split('\n## ')[0] ?? ''
  const cells = table.split('\n').flatMap((row) => (/^\| `[a-z]/.test(row) ? row.split(' | ').slice(0, 1) : []))
  return [...full, ...cells.flatMap(inlineCode)]
}

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

describe('the documentation', () => {
  it.each(markdown)('%s links to files that are there', (page) => {
    const links = [...withoutBlocks(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!)
    const missing = links
      .filter((link) => !/^[a-z]+:/.test(link))
      .filter((link) => !existsSync(resolve(dirname(page), link.split('#')[0]!)))
    expect(missing).toEqual([])
  })

  it.each(current)('%s names commands and options that the command line has', (page) => {
    for (const line of commandLines(read(page))) {
      const { command, rest } = commandOf(line)
      expect(command.name(), line).not.toBe('bcod')
      const options = command.options.map(({ long }) => long)
      for (const [flag] of rest.matchAll(/--[a-z][a-z-]*/g)) expect([...options, '--help'], line).toContain(flag)
    }
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
    for (const [name] of text.matchAll(/\bBCOD_[A-Z_]+/g))
      expect([...variables, 'BCOD_TF', 'BCOD_CACHE']).toContain(name)
    const metrics = new Metrics().catalogue.map(({ name }) => name)
    for (const [name] of text.matchAll(/\bbcod_[a-z_]+/g)) expect(metrics).toContain(name)
    const codes = inlineCode(text).filter((word) => /^(?!BCOD_|TF_|VLLM_)[A-Z]+(_[A-Z]+)+$|^FENCED$/.test(word))
    for (const word of codes) expect(Object.keys(ERRORS)).toContain(word)
  })
})

describe('README.md', () => {
  it('lists every command', () => {
    const listed = new Set(commandLines(readme).map((line) => line.split(' ')[0]))
    for (const command of program().commands) expect([...listed]).toContain(command.name())
  })

  it('names make targets that are there, and every shell block parses', () => {
    const targets = read('Makefile').match(/^[a-z][a-z0-9-]*(?=:)/gm)
    const named = [...readme.matchAll(/\bmake ([a-z][a-z0-9-]*)/g)].map((match) => match[1]!)
    expect(named).toEqual(expect.arrayContaining(['demo', 'test', 'setup']))
    for (const name of named.filter((word) => word !== 'it')) expect(targets).toContain(name)
    for (const [, script] of readme.matchAll(/^```sh\n([\s\S]*?)^```/gm)) execFileSync('bash', ['-n', '-c', script!])
  })

  it('shows a vote that is accepted, from kcat and from Node.js', () => {
    const [, echoed] = /^echo '(.*)' \|/m.exec(readme)!
    const body =
      /publishVote\(\{ completionId, user, prompt, completion, label \}\) \{\n {2}const event = (\{[\s\S]*?\n {2}\})/
    const event = new Function(
      ...['completionId', 'user', 'prompt', 'completion', 'label'],
      `return JSON.stringify(${body.exec(readme)![1]})`,
    ) as (...values: readonly unknown[]) => string
    const built = event('cmpl-1', 'u-1', [{ role: 'user', content: 'Hello' }], 'Hi', false)
    const position = { topic: 'feedback', partition: 0, offset: 0, timestamp: 0 }
    const votes = [echoed!, built].map((json) => {
      const value = Buffer.from(json)
      return toFeedback(decodeEnvelope(value, {}, 2 ** 20), position, { vocabSize: 1000 })
    })
    expect(votes.map(({ label, subject, user }) => [label, subject, user])).toEqual([
      [true, 'cmpl-1', 'u-1'],
      [false, 'cmpl-1', 'u-1'],
    ])
  })
})

describe('examples/bcod.yaml', () => {
  const config = requireFor(loadConfig({ file: 'examples/bcod.yaml', env: {} }), 'run')

  it('is a configuration that `bcod run` takes, with the paths, topic and port of README.md', () => {
    expect(readme).toContain(`${config.adapters.dir}/live`)
    expect(readme).toContain(`--lineage ${config.checkpoint.dir}`)
    expect(readme).toContain(`--local-dir ${config.model.path}`)
    expect(readme).toContain(`--topic ${config.stream.topic}`)
    expect(readme).toContain(`-b ${config.stream.brokers[0]}`)
    expect(readme).toContain(`http://${config.server.host}:${config.server.port}/`)
  })
})
