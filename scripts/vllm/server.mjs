// vLLM itself, on the CPU, as a process that does not outlive this one.
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startGuarded } from '../../dist/demo/kafka/guarded-process.js'
import { VLLM_VARIABLES, vllmEnvironment } from './environment.mjs'

/** A machine that also does other things takes its time to start it. */
const READY_MS = 600_000
const LAST_LINES = 60

/**
 * How many adapters one batch may have. On the CPU vLLM answers the base with the adapter in its last slot if the batch
 * has another one: with as many slots that one stays empty.
 */
export const SLOTS = 8

/** Arguments of a server for versions of up to that rank; `loras` of them in one batch. */
export const servingArguments = ({ name, rank, loras }) => [
  ...['--served-model-name', name, '--dtype', 'float32'],
  ...['--enable-lora', '--max-loras', String(loras), '--max-lora-rank', String(rank)],
]

export class VllmServer {
  #process = null

  constructor({ model, args, log, port }) {
    this.port = port
    this.url = `http://127.0.0.1:${port}`
    this.model = model
    this.args = args
    this.log = log
  }

  async start() {
    const python = vllmEnvironment()
    const { PYTHONDONTWRITEBYTECODE: _, PYTHONPATH: __, ...env } = process.env
    const serve = ['-m', 'vllm.entrypoints.cli.main', 'serve', this.model]
    const own = ['--host', '127.0.0.1', '--port', String(this.port), '--enforce-eager']
    const all = [...serve, ...own, '--distributed-executor-backend', 'uni', ...this.args]
    this.#process = startGuarded(python, all, {
      ...{ cwd: process.cwd(), logFile: this.log, ownGroup: true },
      env: {
        ...{ ...env, ...VLLM_VARIABLES, VLLM_ALLOW_RUNTIME_LORA_UPDATING: 'True' },
        VLLM_CACHE_ROOT: join(dirname(dirname(python)), 'cache'),
      },
    })
    for (const end = Date.now() + READY_MS; !(await this.#isReady()); await sleep(250))
      if (this.#process === null || this.#process.ended() !== null || Date.now() > end) {
        const lines = this.lastLines()
        await this.kill()
        throw new Error(`vLLM is not ready:\n${lines}`)
      }
  }

  async kill() {
    const running = this.#process
    this.#process = null
    await running?.end('SIGKILL')
  }

  lastLines() {
    return this.#process?.log().split('\n').slice(-LAST_LINES).join('\n') ?? ''
  }

  #isReady() {
    const signal = AbortSignal.timeout(2_000)
    return fetch(`${this.url}/health`, { signal }).then(
      ({ ok }) => ok,
      () => false,
    )
  }
}
