import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Commands } from './page.js'

/** What a step may take on a machine that also does other things. Milliseconds. */
export const LIMIT = 900_000

interface Running {
  readonly child: ChildProcess
  readonly script: string
  output: string
  code: number | null
}

/** The terminals of a reader: what runs in each, and what it has printed. */
export class Terminals {
  readonly #open = new Map<number, Running>()

  constructor(private readonly cwd: string) {}

  /** Types the commands in; they stop at the first that fails. */
  type({ terminal, script }: Commands): void {
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', script], {
      ...{ cwd: this.cwd, stdio: ['ignore', 'pipe', 'pipe'] },
      // Ctrl-C goes to the whole group, as in a terminal
      detached: true,
    })
    const running: Running = { child, script, output: '', code: null }
    const take = (chunk: Buffer) => {
      running.output += chunk
    }
    child.stdout?.on('data', take)
    child.stderr?.on('data', take)
    child.once('close', (code) => {
      running.code = code ?? -1
    })
    this.#open.set(terminal, running)
  }

  /**
   * Waits until the commands have printed the text; null: until they have ended well. Those that end well without it are
   * typed in again, as the page says.
   */
  async until(commands: Commands, text: string | null): Promise<void> {
    for (const end = Date.now() + LIMIT; ; await sleep(100)) {
      const { code, output } = this.#open.get(commands.terminal)!
      if (text === null ? code === 0 : output.includes(text)) return
      if ((code !== null && (code !== 0 || commands.staysOpen)) || Date.now() > end)
        throw new Error(`${commands.script}has not printed: ${text}\nended: ${code}\n${output.slice(-4000)}`)
      if (code === 0) await sleep(1000).then(() => this.type(commands))
    }
  }

  said(terminal: number): string {
    return this.#open.get(terminal)?.output ?? ''
  }

  /** Ctrl-C. @returns the exit code */
  async interrupt(terminal: number): Promise<number> {
    const { child, code } = this.#open.get(terminal)!
    if (code !== null) return code
    const closed = once(child, 'close')
    process.kill(-child.pid!, 'SIGINT')
    const [ended, signal] = await closed
    return ended ?? (signal === 'SIGINT' ? 130 : -1)
  }

  killAll(): void {
    for (const { child, code } of this.#open.values()) if (code === null) process.kill(-child.pid!, 'SIGKILL')
  }
}
