import { setTimeout as sleep } from 'node:timers/promises'
import { loadConfig } from '../../../src/config/config.js'
import type { Daemon } from '../../../src/daemon/daemon.js'
import { runDemo } from '../../../src/demo/demo.js'
import { startBroker } from '../../../src/demo/kafka/broker.js'
import type { DemoLog } from '../../../src/demo/logs.js'
import { demoDefaults } from '../../../src/demo/settings.js'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import { FeedbackProducer } from '../../../src/streams/kafka/producer.js'
import { BuildInfo, ConfigLoaded } from '../../../src/telemetry/events/daemon.js'
import { createLogger } from '../../../src/telemetry/logger.js'
import { Metrics } from '../../../src/telemetry/metrics.js'
import { Telemetry } from '../../../src/telemetry/telemetry.js'
import { OtherClient } from '../../support/kafka-reading.js'
import type { RecordedVllm } from '../../support/recorded-vllm.js'
import { Gateways } from './gateways.js'
import { Visitors } from './visitors.js'

const VOTES = 600
const SCRAPE_MS = 250
/** Of the hour's clock. */
const SECONDS = 3600
const SCRAPE_SECONDS = 15
const TOPIC = 'feedback'
const SPOILT_EVERY = 40
/** Gauges that hold a time, which moves to the hour's clock with everything else. */
const TIMES = /^(bcod_checkpoint_last_success_timestamp_seconds|process_start_time_seconds)\{/

export interface Hour {
  /** Seconds since 1970. */
  readonly from: number
  readonly to: number
  /** Samples with their times, as OpenMetrics. */
  readonly text: string
}

/** What is scraped, as a Prometheus in a cluster names it. */
export interface Target {
  readonly job: string
  readonly instance: string
  text(): Promise<string>
}

interface Scrape {
  /** Seconds since 1970. */
  readonly at: number
  /** By target. */
  readonly texts: readonly (string | null)[]
}

/**
 * The metrics of two gateways and of the demo's daemon over a real broker and with two model servers, scraped while simulated users vote on
 * its answers, and users of the control arm on the base model's. The demo takes minutes: its samples are set down as
 * those of an hour that ends now. One vote in forty is spoilt; a server is away for a while; an operator rolls back and
 * resumes; and in the end the gate refuses what a burst of flattering votes has taught. Meanwhile the gateways lose Kafka
 * and a server of theirs for a while, and somebody tries tokens.
 *
 * @param directory  for the gateways' files
 */
export async function demoHour(servers: readonly [RecordedVllm, RecordedVllm], directory: string): Promise<Hour> {
  const metrics = new Metrics()
  metrics.collectProcess()
  const telemetry = new Telemetry(createLogger('silent'), metrics)
  const config = settings(servers)
  for (const event of [new BuildInfo(), new ConfigLoaded(config)]) telemetry.emit(event)
  const gateways = await Gateways.start(directory)
  const daemon = { job: 'bcod', instance: 'bcod-0:9464', text: () => metrics.text() }
  const targets = [daemon, ...gateways.targets]
  const scrapes: Scrape[] = []
  const scrape = async () => {
    const at = Date.now() / 1000
    scrapes.push({ at, texts: await Promise.all(targets.map((target) => target.text().catch(() => null))) })
  }
  const timer = setInterval(() => void scrape(), SCRAPE_MS)
  const visitors = await Visitors.start(config)
  let incidents: Promise<unknown> = Promise.resolve()
  try {
    await runDemo({
      ...{ events: VOTES, config, telemetry, openLog: () => spoiltLog(visitors), keep: null },
      watch: (daemon) => {
        // one more for each part of the burst
        if (visitors.daemon === null)
          incidents = Promise.all([incidentsOf(daemon, servers[1]), incidentsAt(gateways, daemon)])
        visitors.daemon = daemon
      },
      burst: () => undefined,
    })
    await incidents
  } finally {
    clearInterval(timer)
    visitors.close()
    await gateways.close()
  }
  return asAnHour(targets, scrapes)
}

const settings = (servers: readonly RecordedVllm[]) =>
  loadConfig({
    defaults: demoDefaults(VOTES),
    set: [
      // what is spoilt is read too: the last votes may come after the demo's own flush
      'batch.maxLatency=2s',
      // a gate with greedy answers, and so a learner that can answer for the base
      ...['gate.golden=["tests/grafana/look/golden.jsonl"]', 'canary.controlShare=0.2', 'canary.baseModel=base'],
      ...['eval.holdOut=0.1', 'gate.holdOutMin=5', 'publish.attest=0', 'publish.timeout=1s'],
      `publish.targets=${JSON.stringify([{ kind: 'vllm', urls: servers.map(({ url }) => url) }])}`,
    ],
  })

/** A broker of its own. Some of its records are no votes. */
async function spoiltLog(visitors: Visitors): Promise<DemoLog> {
  const broker = await startBroker()
  const connection = { brokers: [broker.bootstrap] }
  const client = await OtherClient.connect(broker.bootstrap)
  await client.topic(TOPIC, 1, { 'retention.ms': '86400000' })
  await client.topic(`${TOPIC}.dlq`, 1)
  const producer = new FeedbackProducer(connection, TOPIC)
  let votes = 0
  return {
    open: () => new KafkaFeedbackLog({ ...connection, topic: TOPIC, groupId: 'look' }),
    publish: async (events) => {
      await producer.publish([...visitors.named(events), ...(await visitors.ofControl(Math.ceil(events.length / 4)))])
      for (const _ of events)
        if (++votes % SPOILT_EVERY === 0) await client.send(TOPIC, [{ key: 'x', value: 'thumbs up' }])
    },
    close: async () => {
      await producer.close()
      await client.close()
      await broker.stop()
    },
  }
}

async function reached(daemon: Daemon, step: number): Promise<void> {
  while (daemon.status().step < step) await sleep(100)
}

async function incidentsAt(gateways: Gateways, daemon: Daemon): Promise<void> {
  await reached(daemon, 25)
  await gateways.withoutKafka(8000)
  await reached(daemon, 70)
  await gateways.withoutServer(8000)
  await reached(daemon, 110)
  await gateways.attacked(5000)
}

async function incidentsOf(daemon: Daemon, server: RecordedVllm): Promise<void> {
  await reached(daemon, 45)
  await server.close()
  await sleep(12_000)
  await server.restart()
  await reached(daemon, 100)
  const { registry, moved } = daemon.adapters
  await registry.rollback()
  await moved()
  await sleep(8000)
  await registry.resume()
  await moved()
}

function asAnHour(targets: readonly Target[], scrapes: readonly Scrape[]): Hour {
  const to = Math.floor(Date.now() / 1000 / SCRAPE_SECONDS) * SCRAPE_SECONDS
  const from = to - SECONDS
  const began = scrapes[0]!.at
  const pace = SECONDS / (scrapes.at(-1)!.at - began)
  const lines: string[] = []
  for (let time = from; time <= to; time += SCRAPE_SECONDS) {
    const { texts } = scrapes.find(({ at }) => from + (at - began) * pace >= time) ?? scrapes.at(-1)!
    for (const [i, target] of targets.entries())
      for (const line of texts[i]?.split('\n') ?? []) {
        if (line === '' || line.startsWith('#')) continue
        const series = targeted(target, line.slice(0, line.lastIndexOf(' ')))
        const value = line.slice(line.lastIndexOf(' ') + 1)
        lines.push(`${series} ${TIMES.test(series) ? from + (Number(value) - began) * pace : value} ${time}`)
      }
  }
  return { from, to, text: `${lines.join('\n')}\n# EOF\n` }
}

/** The series as a scrape gives it. */
function targeted({ job, instance }: Target, series: string): string {
  const [, name, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(series)!
  return `${name}{job="${job}",instance="${instance}"${labels && `,${labels}`}}`
}
