import { execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { encodeFeedback } from '../../src/events/encode.js'
import { readJsonl } from '../../src/events/jsonl.js'
import { plain } from '../import/reading.js'
import { bcod, documentOf, scratchDirectory } from '../support/bcod.js'
import { productEnvironment } from './environment.mjs'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a product's server by its environment's Python, in a directory of its own, and waits until it answers. */
export const started = (product: string, command: (port: number) => readonly string[], env: (port: number) => object) =>
  launched((port) => {
    // a program's first line names the folder in which the environment was built
    const [bin, [program = '', ...args]] = [productEnvironment(product), command(port)]
    return [join(bin, 'python'), join(bin, program), ...args]
  }, env)

/** The same for any command. */
export async function launched(command: (port: number) => readonly string[], env: (port: number) => object) {
  const [port, directory] = [await freePort(), scratchDirectory()]
  const [program = '', ...args] = command(port)
  const log = openSync(join(directory, 'log'), 'w')
  const options = { cwd: directory, env: { ...process.env, ...env(port) }, stdio: ['ignore', log, log] as const }
  const child = spawn(program, args, { ...options, stdio: [...options.stdio], detached: true })
  closeSync(log)
  onTestFinished(() => void process.kill(-(child.pid as number), 'SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  for (const end = Date.now() + 170_000; ; await sleep(500)) {
    const answer = await fetch(`${url}/`).catch(() => null)
    if (answer !== null && answer.status < 500) return { url, directory }
    if (child.exitCode !== null || Date.now() > end)
      throw new Error(`${program} does not answer:\n${readFileSync(join(directory, 'log'), 'utf8').slice(-3000)}`)
  }
}

/** Runs a script of this folder in a product's environment. */
export const python = (product: string, script: string, ...args: readonly string[]) =>
  execFileSync(join(productEnvironment(product), 'python'), [join(import.meta.dirname, script), ...args], {
    stdio: 'pipe',
  })

/** Formats that do not say who voted. */
const USERLESS = ['preference', 'trl-unpaired']

/** What bcod makes of a product or of a file of it: the report, and the votes without their users' hashes. */
export async function imported(format: string, ...from: readonly string[]) {
  const out = join(scratchDirectory(), 'events.jsonl')
  const salt = ['--set', 'gateway.userSalt=a salt for this test alone']
  const ended = await bcod('import', '--from', format, ...from, ...salt, '--out', out, '--json')
  expect(ended.code, ended.stderr).toBe(0)
  const votes: unknown[] = []
  for await (const vote of readJsonl(out)) {
    if (!USERLESS.includes(format)) expect(vote.user).toMatch(/^[0-9a-f]{32}$/)
    expect(encodeFeedback(vote).byteLength).toBeGreaterThan(0)
    const { label, prompt, completion, adapter } = vote
    votes.push([...plain({ ...vote, label, prompt, completion, user: null }), adapter])
  }
  return { votes, report: documentOf(ended) }
}

/** Two answers of the served version, as every product is asked to hold them: label, user, prompt, answer, version. */
export const LIFT = [true, null, ['user: Where is the lift?'], 'Behind you.', 'v00000012']
export const HOURS = [false, null, ['user: Open today?'], 'Until six.', 'v00000012']
