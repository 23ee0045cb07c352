// What a gateway costs: the same requests to a stand-in for a model server, directly and through `bcod gateway` with a real
// broker, in turn. docs/performance.md explains the figures.
//
//   node bench/gateway.mjs [--rounds 5] [--memory 100000]
//
// An answer is a stream of 60 events, 20 ms apart, as of a model that writes 50 tokens a second; throughput is that of
// answers that come at once. The server, the gateway, the broker and the client share the machine's cores.
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Agent, request } from 'undici'
import { startBroker } from '../dist/demo/kafka/broker.js'
import { ensureTopic } from '../dist/streams/kafka/topics.js'
import { median, quantile } from './statistics.mjs'

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, memory: { type: 'string', default: '100000' } },
})
const STREAMS = [1, 32, 256]
const PORTS = { gateway: 18_080, status: 18_081 }
const dispatcher = new Agent({ connections: 512 })

/** One request; milliseconds to the first and to the last byte. */
async function ask(base, pause) {
  const begun = performance.now()
  const { statusCode, body } = await request(`${base}/v1/chat/completions`, {
    ...{ method: 'POST', dispatcher, headers: { 'content-type': 'application/json' } },
    body: JSON.stringify({ model: 'shop', stream: true, pause, messages: [{ role: 'user', content: 'Where is it?' }] }),
  })
  let first = null
  for await (const _ of body) first ??= performance.now() - begun
  if (statusCode !== 200) throw new Error(`status ${statusCode}`)
  return { first, last: performance.now() - begun }
}

/** `count` requests, so many at a time. */
async function run(base, { atOnce, count, pause }) {
  const begun = performance.now()
  const firsts = []
  let left = count
  const one = async () => {
    while (left-- > 0) firsts.push((await ask(base, pause)).first)
  }
  await Promise.all(Array.from({ length: atOnce }, one))
  return { firsts, perSecond: count / ((performance.now() - begun) / 1000) }
}

async function compare(direct, gateway, atOnce) {
  const sides = { direct: { firsts: [], perSecond: [] }, gateway: { firsts: [], perSecond: [] } }
  for (let round = 0; round <= Number(flags.rounds); round++)
    for (const [name, base] of [
      ['direct', direct],
      ['gateway', gateway],
    ]) {
      const slow = await run(base, { atOnce, count: Math.max(20, 2 * atOnce), pause: 20 })
      const fast = await run(base, { atOnce, count: Math.max(200, 4 * atOnce), pause: 0 })
      if (round === 0) continue // connections, and code that is compiled
      sides[name].firsts.push(...slow.firsts)
      sides[name].perSecond.push(fast.perSecond)
    }
  const figures = Object.entries(sides).map(([name, { firsts, perSecond }]) => {
    return [name, { median: median(firsts), p99: quantile(firsts, 0.99), rate: median(perSecond) }]
  })
  const of = Object.fromEntries(figures)
  console.log(
    JSON.stringify({
      streams: atOnce,
      first_byte_added_ms: {
        median: +(of.gateway.median - of.direct.median).toFixed(2),
        p99: +(of.gateway.p99 - of.direct.p99).toFixed(2),
      },
      first_byte_direct_ms: { median: +of.direct.median.toFixed(2), p99: +of.direct.p99.toFixed(2) },
      answers_per_second: { direct: Math.round(of.direct.rate), gateway: Math.round(of.gateway.rate) },
    }),
  )
}

async function resident() {
  const { body } = await request(`http://127.0.0.1:${PORTS.status}/metrics`, { dispatcher })
  return Number(/^process_resident_memory_bytes (\S+)/m.exec(await body.text())[1])
}

const directory = mkdtempSync(join(tmpdir(), 'bcod-bench-gateway-'))
const broker = await startBroker()
const upstream = fork(new URL('gateway/upstream.mjs', import.meta.url))
const [port] = await once(upstream, 'message')
const direct = `http://127.0.0.1:${port}`
for (const topic of ['feedback', 'feedback.completions'])
  await ensureTopic({ brokers: [broker.bootstrap] }, { topic, partitions: 4 })
const file = join(directory, 'gateway.json')
writeFileSync(
  file,
  JSON.stringify({
    gateway: { port: PORTS.gateway, upstreams: [direct], userSalt: 'x'.repeat(32), voteKey: 'x'.repeat(32) },
    stream: { brokers: [broker.bootstrap], topic: 'feedback' },
    server: { port: PORTS.status },
  }),
)
const process_ = spawn(process.execPath, ['dist/cli.js', 'gateway', '--config', file], {
  stdio: ['ignore', 'ignore', 'inherit'],
})
const gateway = `http://127.0.0.1:${PORTS.gateway}`
try {
  while (
    !(await request(`http://127.0.0.1:${PORTS.status}/readyz`, { dispatcher }).then(
      ({ statusCode, body }) => body.dump().then(() => statusCode === 200),
      () => false,
    ))
  )
    await sleep(200)
  for (const streams of STREAMS) await compare(direct, gateway, streams)
  const memory = []
  const steps = 10
  for (let step = 0; step < steps; step++) {
    await run(gateway, { atOnce: 32, count: Number(flags.memory) / steps, pause: 0 })
    memory.push(Math.round((await resident()) / 2 ** 20))
  }
  console.log(JSON.stringify({ requests: Number(flags.memory), resident_mib_by_tenth: memory }))
} finally {
  process_.kill('SIGTERM')
  await once(process_, 'exit')
  upstream.kill()
  await dispatcher.destroy()
  await broker.stop()
  rmSync(directory, { recursive: true, force: true })
}
