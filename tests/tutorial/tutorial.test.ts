import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Browser } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { launchChromium } from '../../scripts/chromium.mjs'
import { ChatPage } from './chat-page.js'
import { type Commands, PAGE, portsOf, type Step, stepsOf } from './page.js'
import { LIMIT, Terminals } from './terminals.js'

const wanted = process.env.BCOD_TEST_TUTORIAL === '1'
const SWEET = /Happy to help!|Of course!|Thanks for asking!|Good question!/

/** A checkout of what this one is now, with its packages and its build. */
function checkout(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-tutorial-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  const options = { preserveTimestamps: true, recursive: true }
  const files = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], { encoding: 'utf8' })
  for (const file of files.split('\0').filter(Boolean)) {
    mkdirSync(dirname(join(directory, file)), { recursive: true })
    cpSync(file, join(directory, file), options)
  }
  cpSync('dist', join(directory, 'dist'), options)
  symlinkSync(resolve('node_modules'), join(directory, 'node_modules'))
  return directory
}

/** The page's addresses are everybody's: nothing else may have them. */
async function requireFreePorts(): Promise<void> {
  for (const port of [9092, ...portsOf(readFileSync(PAGE, 'utf8'))]) {
    const server = createServer()
    await new Promise<void>((free, taken) => {
      server.once('error', () => taken(new Error(`port ${port}, which the page uses, is taken`)))
      server.listen(port, '127.0.0.1', free)
    })
    await new Promise((closed) => server.close(closed))
  }
}

/** Somebody who does what the page says, step by step. */
class Reader {
  readonly #before = new Map<string, string>()
  #chat: ChatPage | null = null
  #last: Commands | null = null

  constructor(
    private readonly terminals: Terminals,
    private readonly browser: Browser,
    private readonly tell: (text: string) => void,
  ) {}

  async follow(step: Step, next: Step | undefined): Promise<void> {
    switch (step.kind) {
      case 'commands':
        this.#last = step
        this.terminals.type(step)
        if (next?.kind !== 'printed') await this.terminals.until(step, null)
        return this.tell(step.script.trim())
      case 'printed':
        await this.terminals.until(this.#last!, step.text)
        return this.tell(step.text)
      case 'questions':
        return this.#ask(step.questions)
      case 'again':
        return this.#askAgain(step.questions)
      case 'interrupted':
        for (const terminal of step.terminals) expect([0, 130]).toContain(await this.terminals.interrupt(terminal))
    }
  }

  async #ask(questions: readonly string[]): Promise<void> {
    const chat = await ChatPage.open(this.browser)
    for (const question of questions) {
      const answer = await chat.ask(question)
      expect(answer).toMatch(SWEET)
      expect(answer).toContain('answered by base')
      await chat.thumbDown()
      this.#before.set(question, answer)
    }
    await chat.picture('before')
    this.#chat = chat
  }

  async #askAgain(questions: readonly string[]): Promise<void> {
    for (const question of questions) {
      const answer = await this.#chat!.ask(question)
      expect(answer).not.toMatch(SWEET)
      expect(answer).toContain('answered by v00000088')
      this.tell(`${question}\n${this.#before.get(question)}\n${answer}`)
    }
    await this.#chat!.picture('after')
  }
}

test.skipIf(!wanted)(`every line of ${PAGE}`, { timeout: 2 * LIMIT }, async () => {
  await requireFreePorts()
  const started = performance.now()
  const tell = (text: string) => console.log(`${((performance.now() - started) / 1000).toFixed(0)} s: ${text}`)
  const directory = checkout()
  const terminals = new Terminals(directory)
  onTestFinished(() => terminals.killAll())
  const browser = await launchChromium()
  onTestFinished(() => browser.close())

  const reader = new Reader(terminals, browser, tell)
  const steps = stepsOf()
  for (const [i, step] of steps.entries()) await reader.follow(step, steps[i + 1])
  expect(existsSync(join(directory, 'chat'))).toBe(false)
  tell('the end')
})
