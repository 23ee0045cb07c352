// What the stream costs, without the learner but for `idle` and `burst`. docs/performance.md explains the figures.
//
//   node bench/stream.mjs ingest [--events 5000000]   decode → validate → dedup → hold-back → batch, from memory
//   node bench/stream.mjs broker [--events 500000]    the same from a real broker on this machine
//   node bench/stream.mjs tokenise [--events 20000]   text and chat template to token ids, with the demo's tokenizer
//   node bench/stream.mjs memory                      what a million remembered ids, votes and held votes take
//   node bench/stream.mjs idle [--minutes 5]          a daemon without events: share of one core after that long
//   node bench/stream.mjs burst [--events 100000]     a daemon that meets a burst: pace and memory while it drains
//   node bench/stream.mjs backlog [--events 1000000]  a daemon before a backlog: memory in its first three minutes
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import kafkajs from 'kafkajs'
import { lastValueFrom, Subject } from 'rxjs'
import { loadConfig } from '../dist/config/config.js'
import { pipeline } from '../dist/daemon/stream/pipeline.js'
import { StreamState } from '../dist/daemon/stream/stream-state.js'
import { startBroker } from '../dist/demo/kafka/broker.js'
import { decodeEnvelope } from '../dist/events/envelope.js'
import { toFeedback } from '../dist/events/feedback.js'
import { readArchitecture } from '../dist/model/architecture.js'
import { DedupWindow } from '../dist/streams/dedup.js'
import { HoldBack } from '../dist/streams/hold-back.js'
import { KafkaFeedbackLog } from '../dist/streams/kafka/log.js'
import { TextQueue } from '../dist/streams/text-queue.js'
import { tokenise as tokeniseStage } from '../dist/streams/tokenise.js'
import { VoteLedger } from '../dist/streams/vote-ledger.js'
import { loadTextModel } from '../dist/text/text-model.js'
import { TextProcess } from '../dist/text/text-process.js'
import { toTrainingEvent } from '../dist/text/training-event.js'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { events: { type: 'string' }, minutes: { type: 'string', default: '5' } },
})
const VOCABULARY = 32_000
const PARTITIONS = 4
const DEMO_MODEL = fileURLToPath(new URL('../src/demo/model', import.meta.url))
const MB = 1e6

/** A vote of about 1 KB: 150 token ids, as a structured CloudEvent. */
function record(index) {
  const token = (i) => (index * 7919 + i * 104_729) % VOCABULARY
  const tokens = (from, count) => Array.from({ length: count }, (_, i) => token(from + i))
  const value = JSON.stringify({
    ...{ specversion: '1.0', type: 'bcod.feedback.v1', source: 'chat-web', id: `vote-${index}` },
    subject: `answer-${index}`,
    data: {
      ...{ prompt_tokens: tokens(0, 110), completion_tokens: tokens(110, 40) },
      ...{ label: index % 3 !== 0, user: `user-${index % 5_000}` },
    },
  })
  return { key: Buffer.from(`answer-${index}`), value: Buffer.from(value) }
}

/** The stages of a daemon up to the batch, whose batches are taken at once. */
function stages(settings = {}) {
  const config = loadConfig({ env: {}, set: Object.entries(settings).map(([key, value]) => `${key}=${value}`) })
  let events = 0
  const unexpected = (what) => {
    throw new Error(`an event ended as ${what}`)
  }
  const state = new StreamState(config, (_, reason) => unexpected(reason), {
    ...{ write: async () => unexpected('a letter'), acknowledged: () => {}, failed: () => {} },
  })
  const record$ = new Subject()
  const demand$ = new Subject()
  const tick$ = new Subject()
  const nothing = () => {}
  pipeline(record$, {
    ...{ config, state, text: null, vocabSize: VOCABULARY, maxLength: 1024 },
    ...{
      demand$,
      flush$: new Subject(),
      tick$,
      now: () => Number.MAX_SAFE_INTEGER,
      received: nothing,
      framed: nothing,
      step: () => 0,
    },
    ...{ reject: (_, error) => unexpected(error.line), drop: (_, reason) => unexpected(reason), heldOut: nothing },
  }).subscribe((batch) => {
    events += batch.length
    for (const { position } of batch) state.positions.ack(position)
    state.batcher.acknowledge(batch)
    queueMicrotask(() => demand$.next())
  })
  demand$.next()
  return {
    state,
    done: () => events,
    take({ partition, records, nextOffset, logEnd }) {
      for (const each of records) {
        if (!state.track(each)) continue
        record$.next(each)
        state.watermark.observe(partition, each.timestamp, each.appendTime)
      }
      state.positions.advance(partition, nextOffset)
      state.watermark.fetched(partition, nextOffset >= logEnd)
      tick$.next()
    },
  }
}

const unused = (_, why) => {
  throw new Error(`a vote ended as ${why.line ?? why}`)
}

/** CPU time of this process's main thread alone would leave out garbage collection: all of it counts. */
function clock() {
  const [wall, cpu] = [performance.now(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    const seconds = (performance.now() - wall) / 1000
    return { seconds, cores: (user + system) / 1e6 / seconds }
  }
}

async function ingest(count) {
  const FETCH = 1_000
  const templates = Array.from({ length: 20_000 }, (_, i) => record(i))
  const bytes = templates.reduce((sum, { value }) => sum + value.length, 0) / templates.length
  // one event a millisecond: about 10,000 votes are held back at any time
  const { take, done, state } = stages({
    ...{ 'stream.holdBack': '10s', 'stream.dedupWindow': 1_000_000, 'stream.ledger': 1_000_000 },
  })
  state.watermark.assign([0])
  const warm = 1_500_000
  const rss = []
  const rates = []
  let stop = clock()
  let measured = null
  for (let offset = 0; offset < warm + count; offset += FETCH) {
    // ids are new each time; everything else is parsed again from bytes that differ in their ids alone
    const records = Array.from({ length: FETCH }, (_, i) => {
      const at = offset + i
      const template = templates[at % templates.length]
      return {
        ...{
          topic: 'feedback',
          partition: 0,
          offset: at,
          timestamp: 1_700_000_000_000 + at,
          headers: {},
          appendTime: true,
        },
        ...{ key: template.key, value: withId(template.value, at) },
      }
    })
    if (offset === warm) stop = clock()
    const started = performance.now()
    take({ partition: 0, records, nextOffset: offset + FETCH, logEnd: Number.MAX_SAFE_INTEGER })
    await Promise.resolve()
    if (offset >= warm) rates.push((performance.now() - started) / 1000)
    if (offset >= warm && offset % 500_000 === 0) rss.push(process.memoryUsage().rss / MB)
    if (offset % 50_000 === 0) await sleep(0)
  }
  measured = stop()
  const inStages = rates.reduce((sum, seconds) => sum + seconds, 0)
  return {
    ...{ events: count, bytes_per_event: Math.round(bytes), trained: done() },
    events_per_s: Math.round(count / inStages),
    ...{ wall_s: measured.seconds, cores: measured.cores },
    ...{ rss_mb_lowest: Math.min(...rss), rss_mb_highest: Math.max(...rss) },
  }
}

/** The bytes of a vote with other digits in its id and subject, so that it is another vote. */
function withId(value, index) {
  const copy = Buffer.from(value)
  const digits = `"x${String(index).padStart(11, '0')}"`
  const text = copy.toString('latin1')
  return Buffer.from(text.replace(/"vote-\d+"/, digits).replace(/"answer-\d+"/, digits), 'latin1')
}

/** Votes of about 1 KB of text, a chat message and its answer: in this process, and as a daemon has it done. */
async function tokenise(count) {
  const text = loadTextModel(DEMO_MODEL)
  const words = 'how much is the parcel that I sent to you last week and when does it come home'.split(' ')
  const say = (i, n) => Array.from({ length: n }, (_, k) => words[(i * 7 + k * 5) % words.length]).join(' ')
  const { vocabSize } = readArchitecture(DEMO_MODEL)
  const at = { topic: 'feedback', partition: 0, offset: 0, timestamp: 0 }
  const votes = Array.from({ length: count }, (_, i) => {
    const data = { prompt: [{ role: 'user', content: say(i, 160) }], completion: say(i + 1, 50), label: true }
    return toFeedback({ attributes: null, data, framed: false }, at, { vocabSize })
  })
  const stop = clock()
  let tokens = 0
  for (const vote of votes) {
    const event = toTrainingEvent(vote, { text, maxLength: 4096, vocabSize })
    tokens += event.promptTokens.length + event.completionTokens.length
  }
  const here = stop()
  const own = await TextProcess.start(DEMO_MODEL, { timeout: 60_000 })
  const passed = async (some) => {
    const state = new TextQueue()
    const vote$ = new Subject()
    const event$ = vote$.pipe(tokeniseStage(state, { text: own, maxLength: 1024, vocabSize }, unused, unused))
    const all = lastValueFrom(event$, { defaultValue: null })
    const delay = monitorEventLoopDelay({ resolution: 5 })
    const end = clock()
    delay.enable()
    for (let at = 0; at < some.length; at += 500) {
      for (const vote of some.slice(at, at + 500)) vote$.next(vote)
      await state.emptied()
    }
    vote$.complete()
    await all
    return { seconds: end().seconds, longest_stall_ms: delay.max / 1e6 }
  }
  const there = await passed(votes)
  const long = ['the', 'e', 'How do I get a refund? ', '返', '<|im_start'].map((word) => ({
    ...votes[0],
    prompt: { kind: 'text', text: word.repeat(1_000_000 / word.length) },
  }))
  const megabytes = await passed(long)
  own.close()
  return {
    ...{ events: count, tokens_per_event: Math.round(tokens / count) },
    ...{ in_this_process_per_s: Math.round(count / here.seconds), events_per_s: Math.round(count / there.seconds) },
    ...{ longest_stall_ms: there.longest_stall_ms, five_megabytes: megabytes },
  }
}

async function broker(count) {
  const kafka = await startBroker()
  try {
    await produce(kafka.bootstrap, count)
    const { take, done } = stages({ 'stream.holdBack': 0 })
    const log = new KafkaFeedbackLog({ brokers: [kafka.bootstrap], topic: 'feedback', groupId: 'bench' })
    await log.clusterId()
    let stop = null
    const reading = new Promise((resolve, reject) => {
      log
        .read({
          positionsFor: async ({ partitions }) => new Map(partitions.map((p) => [p, 0])),
          revoked: () => {},
        })
        .subscribe({
          next: (batch) => {
            stop ??= clock()
            take(batch)
            // its last batches are taken in microtasks
            setImmediate(() => done() >= count && resolve(stop()))
          },
          error: reject,
        })
    })
    const { seconds, cores } = await reading
    await log.close()
    return { events: count, events_per_s: Math.round(count / seconds), cores, rss_mb: process.memoryUsage().rss / MB }
  } finally {
    await kafka.stop()
  }
}

async function produce(bootstrap, count, of = record) {
  const client = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING })
  const admin = client.admin()
  await admin.connect()
  await admin.createTopics({ topics: [{ topic: 'feedback', numPartitions: PARTITIONS }], waitForLeaders: true })
  await admin.disconnect()
  const producer = client.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  for (let start = 0; start < count; start += 1_000) {
    const messages = Array.from({ length: Math.min(1_000, count - start) }, (_, i) => ({
      ...of(start + i),
      partition: (start + i) % PARTITIONS,
    }))
    await producer.send({ topic: 'feedback', messages, acks: 1 })
  }
  await producer.disconnect()
}

async function memory() {
  const million = 1_000_000
  const measure = (build) => {
    global.gc?.()
    const before = process.memoryUsage()
    const kept = build()
    global.gc?.()
    const after = process.memoryUsage()
    const mb = (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / MB
    return { mb, kept }
  }
  const vote = (i) => {
    const { key, value } = record(i)
    const at = { topic: 'feedback', partition: 0, offset: i, timestamp: i, key, value, headers: {} }
    return toFeedback(decodeEnvelope(value, {}, 1 << 20), at, { vocabSize: null })
  }
  const dedup = measure(() => {
    const window = new DedupWindow(million)
    for (let i = 0; i < million; i++)
      window.admit({
        source: 'chat-web',
        id: `vote-${i}`,
        subject: 's',
        position: { topic: 't', partition: 0, offset: i },
      })
    return window
  })
  const ledger = measure(() => {
    const votes = new VoteLedger(million)
    for (let i = 0; i < million; i++)
      votes.remember({ source: 'chat-web', subject: `answer-${i}`, user: `user-${i}` }, true)
    return votes
  })
  const part = 100_000
  const held = measure(() => {
    const holding = new HoldBack({ window: 1, ledger: new VoteLedger(0), drop: () => {} })
    for (let i = 0; i < part; i++) holding.push(vote(i))
    return holding
  })
  return {
    per_million: 'MB',
    dedup_mb: dedup.mb,
    ledger_mb: ledger.mb,
    held_mb: (held.mb * million) / part,
    held_estimated_mb: (held.kept.heldBytes / MB) * (million / part),
    checkpoint_dedup_mb: dedup.kept.snapshot().hashes.length / MB + 1,
  }
}

/** `bcod run` on the demo's model against a broker of its own. */
async function withDaemon(settings, use) {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-bench-'))
  const kafka = await startBroker()
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  const config = {
    model: { path: DEMO_MODEL },
    stream: { brokers: [kafka.bootstrap], topic: 'feedback', holdBack: '0' },
    checkpoint: { dir: join(directory, 'checkpoints') },
    server: { port },
    log: { level: 'warn' },
    ...settings,
  }
  const file = join(directory, 'bcod.json')
  writeFileSync(file, JSON.stringify(config))
  await produce(kafka.bootstrap, 0)
  const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url))
  const child = spawn(process.execPath, [cli, 'run', '--config', file], { stdio: ['ignore', 'ignore', 'inherit'] })
  const status = async () => (await fetch(`http://127.0.0.1:${port}/status`).catch(() => null))?.json() ?? null
  const until = async (condition) => {
    for (;;) {
      const found = await status()
      if (found && condition(found)) return found
      if (child.exitCode !== null) throw new Error(`the daemon ended with ${child.exitCode}`)
      await sleep(200)
    }
  }
  try {
    await until(({ state }) => state === 'running')
    return await use({ kafka, status, until, pid: child.pid })
  } finally {
    child.kill('SIGTERM')
    await once(child, 'exit')
    await kafka.stop()
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Seconds of CPU time, and resident MB, of a process (Linux). */
function usage(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ')
  const pages = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1])
  return { cpu: (Number(fields[11]) + Number(fields[12])) / 100, mb: (pages * 4096) / MB }
}

const idle = (minutes) =>
  withDaemon({}, async ({ pid }) => {
    const WATCHED = 60
    await sleep(minutes * 60_000)
    const before = usage(pid)
    await sleep(WATCHED * 1000)
    const after = usage(pid)
    return { after_minutes: minutes, share_of_a_core: (after.cpu - before.cpu) / WATCHED, rss_mb: after.mb }
  })

/** A bare row of 20 token ids. */
function short(i) {
  const text = (from, n) => Array.from({ length: n }, (_, k) => 3 + ((i * 31 + (from + k) * 17) % 200))
  const data = { prompt_tokens: text(0, 12), completion_tokens: text(20, 8), label: i % 3 !== 0 }
  return { key: Buffer.from(`a${i}`), value: Buffer.from(JSON.stringify(data)) }
}

const backlog = (count) =>
  withDaemon({ batch: { size: 64, maxLatency: '1s' } }, async ({ kafka, until, status, pid }) => {
    await produce(kafka.bootstrap, count, short)
    await until(({ paused }) => paused)
    const seen = []
    for (const end = Date.now() + 180_000; Date.now() < end; await sleep(500)) seen.push(usage(pid).mb)
    const { step, lag, waiting } = await status()
    const settled = seen.slice(60)
    return {
      ...{ events: count, step, waiting, lag: Object.values(lag).reduce((sum, each) => sum + each, 0) },
      ...{
        rss_mb_first_30_s: Math.max(...seen.slice(0, 60)),
        rss_mb_after: [Math.min(...settled), Math.max(...settled)],
      },
    }
  })

const burst = (count) =>
  withDaemon({ batch: { size: 64, maxLatency: '1s' } }, async ({ kafka, until, status, pid }) => {
    await produce(kafka.bootstrap, 2_000, short)
    await until(({ lag, waiting }) => waiting < 64 && Object.values(lag).every((each) => each < 64))
    const first = await status()
    const calm = usage(pid).mb
    await produce(kafka.bootstrap, count, short)
    const started = performance.now()
    const seen = []
    let finished = false
    const watching = (async () => {
      while (!finished) {
        seen.push(usage(pid).mb)
        await sleep(500)
      }
    })()
    const last = await until(({ lag, waiting }) => waiting < 64 && Object.values(lag).every((each) => each < 64))
    finished = true
    await watching
    const seconds = (performance.now() - started) / 1000
    const half = seen.slice(seen.length >> 1)
    return {
      ...{ events: count, steps: last.step - first.step, seconds, events_per_s: Math.round(count / seconds) },
      ...{ rss_mb_before: calm, rss_mb_highest: Math.max(...seen) },
      ...{ rss_mb_second_half: [Math.min(...half), Math.max(...half)] },
    }
  })

const KINDS = {
  ingest: () => ingest(Number(flags.events ?? 5_000_000)),
  tokenise: () => tokenise(Number(flags.events ?? 20_000)),
  broker: () => broker(Number(flags.events ?? 500_000)),
  memory,
  idle: () => idle(Number(flags.minutes)),
  burst: () => burst(Number(flags.events ?? 100_000)),
  backlog: () => backlog(Number(flags.events ?? 1_000_000)),
}
const kind = KINDS[positionals[0]]
if (!kind) throw new Error(`one of ${Object.keys(KINDS).join(', ')}`)
console.log(JSON.stringify(await kind()))
