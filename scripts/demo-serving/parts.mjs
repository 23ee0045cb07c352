// What the circle is made of, each a process of its own, as production has them. None outlives this process.
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startBroker } from '../../dist/demo/kafka/broker.js'
import { EMBEDDED_MODEL } from '../../dist/demo/settings.js'
import { ensureTopic } from '../../dist/streams/kafka/topics.js'
import { SLOTS, servingArguments, VllmServer } from '../vllm/server.mjs'
import { startBcod, untilReady } from './bcod.mjs'

/** Of votes, and of the answers that they are on. */
const TOPICS = ['feedback', 'feedback.completions']
/** Longer than a daemon needs for its last checkpoint. */
const END_MS = 20_000

/** The port if it is free, else any that is. */
async function portFrom(wanted) {
  const open = (port) =>
    new Promise((resolve, reject) => {
      const server = createServer()
      server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server))
    })
  const server = await open(wanted).catch(() => open(0))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts the parts, and ends them in the opposite order. */
export class Parts {
  #directory = mkdtempSync(join(tmpdir(), 'bcod-circle-'))
  #ends = []

  /** @returns `host:port` */
  async broker() {
    const broker = await startBroker({ dir: join(this.#directory, 'kafka') })
    this.#ends.push(() => broker.stop())
    for (const topic of TOPICS) await ensureTopic({ brokers: [broker.bootstrap] }, { topic })
    return broker.bootstrap
  }

  /** @returns its base URL */
  async vllm(signal) {
    const args = servingArguments({ name: 'demo', rank: 8, loras: SLOTS })
    const log = join(this.#directory, 'vllm.log')
    const server = new VllmServer({ model: EMBEDDED_MODEL, args, log, port: await portFrom(8000) })
    this.#ends.push(() => server.kill())
    await unlessAborted(server.start(), signal)
    return server.url
  }

  /** @returns the URL of its page */
  async daemon({ kafka, vllm }, signal) {
    const port = await portFrom(9464)
    const settings = {
      ...{ 'stream.brokers': [kafka], 'publish.targets': [{ kind: 'vllm', urls: [vllm] }], 'server.port': port },
      ...{ 'checkpoint.dir': join(this.#directory, 'checkpoints'), 'adapters.dir': join(this.#directory, 'adapters') },
    }
    await this.#bcod('run', settings, port, signal)
    return `http://127.0.0.1:${port}`
  }

  /** @returns its base URL for clients of OpenAI's, and the URL of its state */
  async gateway({ kafka, vllm, daemon }, signal) {
    const [port, statusPort] = [await portFrom(8080), await portFrom(9465)]
    const settings = {
      ...{ 'gateway.port': port, 'server.port': statusPort, 'stream.brokers': [kafka] },
      ...{ 'gateway.upstreams': [vllm], 'gateway.routing': `${daemon}/routing` },
    }
    await this.#bcod('gateway', settings, statusPort, signal)
    return { baseUrl: `http://127.0.0.1:${port}/v1`, status: `http://127.0.0.1:${statusPort}/status` }
  }

  async #bcod(command, settings, port, signal) {
    const log = join(this.#directory, `${command}.log`)
    const child = startBcod(command, settings, log)
    this.#ends.push(() => within(child, END_MS))
    await untilReady(child, port, signal)
  }

  async end() {
    for (const end of this.#ends.splice(0).reverse()) await end()
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** SIGTERM, and SIGKILL if that does not help. */
async function within(child, limit) {
  const late = new AbortController()
  const ended = child.end('SIGTERM').then(() => late.abort())
  await Promise.race([ended, sleep(limit, null, late).catch(() => {})])
  await child.end('SIGKILL')
}

function unlessAborted(promise, signal) {
  signal.throwIfAborted()
  const aborted = new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
  return Promise.race([promise, aborted])
}
