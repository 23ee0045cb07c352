import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { VLLM_VARIABLES, vllmEnvironment } from './environment.mjs'

/** A machine that also does other things takes its time to start it. */
const READY_MS = 600_000

/** What a server said of one prompt, decoded greedily. */
export interface Answer {
  /** The name that the answer says has written it. */
  readonly model: string
  readonly text: string
  readonly promptTokens: readonly number[]
  readonly tokens: readonly number[]
  /** Of each of `tokens`. */
  readonly logps: readonly number[]
}

/** vLLM itself, on the CPU, at a port of its own. */
export class RealVllm {
  #child: ChildProcess | null = null

  private constructor(
    readonly port: number,
    private readonly model: string,
    private readonly args: readonly string[],
    private readonly log: string,
  ) {}

  /** @param log  file that takes what it prints */
  static async start(model: string, args: readonly string[], log: string): Promise<RealVllm> {
    const server = new RealVllm(await freePort(), model, args, log)
    await server.restart()
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** A new process at the same port; resolves once it answers. */
  async restart(): Promise<void> {
    const python = vllmEnvironment()
    const { PYTHONDONTWRITEBYTECODE: _, PYTHONPATH: __, ...env } = process.env
    const out = openSync(this.log, 'a')
    const serve = ['-m', 'vllm.entrypoints.cli.main', 'serve', this.model]
    const own = ['--host', '127.0.0.1', '--port', String(this.port), '--enforce-eager']
    const child = spawn(python, [...serve, ...own, '--distributed-executor-backend', 'uni', ...this.args], {
      env: {
        ...{ ...env, ...VLLM_VARIABLES, VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' },
        VLLM_CACHE_ROOT: join(dirname(dirname(python)), 'cache'),
      },
      stdio: ['ignore', out, out],
      // a process group of its own, so that its engine ends with it
      detached: true,
    })
    closeSync(out)
    this.#child = child
    for (const end = Date.now() + READY_MS; !(await this.#isReady()); await sleep(250))
      if (child.exitCode !== null || Date.now() > end) {
        this.kill()
        throw new Error(`vLLM is not ready:\n${this.#lastLines()}`)
      }
  }

  /** SIGKILL to the server and its engine. */
  kill(): void {
    const child = this.#child
    this.#child = null
    if (child?.pid === undefined) return
    try {
      process.kill(-child.pid, 'SIGKILL')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
    }
  }

  async answer(model: string, question: string, maxTokens: number): Promise<Answer> {
    const response = await fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      // a learner in this thread takes so long now and then that the server has closed a kept connection
      headers: { 'content-type': 'application/json', connection: 'close' },
      body: JSON.stringify({
        ...{ model, messages: [{ role: 'user', content: question }], max_tokens: maxTokens, temperature: 0 },
        ...{ return_token_ids: true, logprobs: true, top_logprobs: 0 },
      }),
    })
    const body = (await response.json()) as ChatAnswer
    if (!response.ok) throw new Error(`status ${response.status}: ${JSON.stringify(body)}\n${this.#lastLines()}`)
    const [choice] = body.choices
    return {
      model: body.model,
      text: choice.message.content,
      promptTokens: body.prompt_token_ids,
      tokens: choice.token_ids,
      logps: choice.logprobs.content.map(({ logprob }) => logprob),
    }
  }

  /** Names that it answers under: the base model, then each adapter. */
  async models(): Promise<readonly string[]> {
    const response = await fetch(`${this.url}/v1/models`)
    const { data } = (await response.json()) as { readonly data: readonly { readonly id: string }[] }
    return data.map(({ id }) => id)
  }

  #lastLines(): string {
    return readFileSync(this.log, 'utf8').split('\n').slice(-60).join('\n')
  }

  async #isReady(): Promise<boolean> {
    const signal = AbortSignal.timeout(2_000)
    return fetch(`${this.url}/health`, { signal }).then(
      ({ ok }) => ok,
      () => false,
    )
  }
}

interface ChatAnswer {
  readonly model: string
  readonly prompt_token_ids: readonly number[]
  readonly choices: readonly [
    {
      readonly message: { readonly content: string }
      readonly token_ids: readonly number[]
      readonly logprobs: { readonly content: readonly { readonly logprob: number }[] }
    },
  ]
}

/** vLLM does not tell which port it got if it may choose one. */
const freePort = () =>
  new Promise<number>((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { readonly port: number }
      server.close(() => resolve(port))
    })
  })
