// TRL's side, a process of its own: it is sent a job as a line of JSON and answers with one.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { PYTHON_VARIABLES, pythonEnvironment } from '../trl/environment.mjs'

/** glibc's malloc keeps what PyTorch frees, as in bench/trl/run.mjs: TRL is faster, its numbers are the same. */
const KEEP_FREED = { MALLOC_MMAP_THRESHOLD_: String(2 ** 35), MALLOC_TRIM_THRESHOLD_: String(2 ** 35) }

export class TrlSide {
  #process = null
  #lines = null

  constructor(threads) {
    this.threads = threads
  }

  /** @param job  see trl_side.py @returns its answer */
  async train(job) {
    this.#process ?? this.#start()
    this.#process.stdin.write(`${JSON.stringify(job)}\n`)
    const { value, done } = await this.#lines.next()
    if (done) throw new Error('the process of TRL has ended')
    return JSON.parse(value)
  }

  end() {
    this.#process?.stdin.end()
  }

  #start() {
    const threads = String(this.threads)
    const limits = { OMP_NUM_THREADS: threads, MKL_NUM_THREADS: threads }
    const env = { ...process.env, ...PYTHON_VARIABLES, ...KEEP_FREED, ...limits }
    const script = fileURLToPath(new URL('trl_side.py', import.meta.url))
    this.#process = spawn(pythonEnvironment(), [script, threads], { env, stdio: ['pipe', 'pipe', 2] })
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
  }
}
