import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { pages } from '../../grafana/src/index.js'
import { armOf, type Routing } from '../../src/adapters/registry/routing.js'
import { ruleGroups } from '../deploy/rules.js'
import { DaemonProcess, settled } from '../support/daemon.js'
import { GatewayProcess } from '../support/gateway-process.js'
import { PrometheusProcess, promtool, withoutPrometheus } from '../support/prometheus.js'
import { TestBroker } from '../support/test-broker.js'
import { answerChat, json, StandInUpstream } from '../support/upstream.js'
import { embeddingService, framed, type Sent, several, UNUSABLE, vote } from './traffic.js'

/** Seconds that the questions look back on; $__rate_interval is a quarter of them. */
const WINDOW = 60
const MAX_LENGTH = 64
const TOPIC = 'feedback'

interface Panel {
  readonly type: string
  readonly title: string
  readonly targets: readonly { readonly expr: string }[]
  /** Of a closed row. */
  readonly panels?: readonly Panel[]
}

const committed = (
  name: string,
): { panels: readonly Panel[]; annotations: { list: readonly { name: string; expr: string }[] } } =>
  JSON.parse(readFileSync(`grafana/${name}.json`, 'utf8'))

const panelsOf = (name: string): readonly Panel[] =>
  committed(name)
    .panels.flatMap((panel) => [panel, ...(panel.panels ?? [])])
    .filter((panel) => panel.type !== 'row')

/** Expressions that may be empty, with the reason. */
const mayBeEmpty = new Map(
  Object.values(pages).flatMap(({ rows }) =>
    rows.flatMap(({ panels }) =>
      panels.flatMap(({ queries }) =>
        queries.flatMap(({ expr, mayBeEmpty }) => (mayBeEmpty === undefined ? [] : [[expr, mayBeEmpty] as const])),
      ),
    ),
  ),
)

/** A vote on an answer to one of several prompts. */
const asked = (index: number, when: string) =>
  vote(`asked-${index}-${when}`, { prompt: `Please, what about question ${index}?` })

/** With a reader's choices in the places of the variables. */
const chosen = (expr: string): string =>
  expr
    .replaceAll('$__rate_interval', `${WINDOW / 4}s`)
    .replaceAll('$job', 'bcod')
    .replaceAll('$gateway', 'bcod-gateway')
    .replaceAll(/\$(instance|replica|gpu)/g, '.*')

describe.skipIf(withoutPrometheus !== null)('a daemon under every kind of event and a gateway, scraped', () => {
  const kafka = new TestBroker('dashboards')
  let daemon: DaemonProcess
  let upstream: StandInUpstream
  let gateway: GatewayProcess
  let prometheus: PrometheusProcess
  let end: () => void

  /** Sends the records, and waits until they have come to their end and some have trained. */
  async function learnt(records: readonly Sent[]): Promise<void> {
    const { step } = (await daemon.status())!
    await kafka.client.send(TOPIC, [...records])
    await daemon.until((status) => settled(status) && status.step > step)
  }

  /** With topics of its own: what it takes is none of the daemon's. */
  async function startGateway(): Promise<GatewayProcess> {
    const topic = 'by-id'
    upstream = await StandInUpstream.start()
    for (const name of [topic, `${topic}.completions`]) await kafka.client.topic(name, 2)
    const { bootstrap } = kafka.broker
    return GatewayProcess.start(join(kafka.directory, 'gateway'), {
      ...{ upstreams: [upstream.url], bootstrap, topic },
      gateway: { routing: `http://127.0.0.1:${daemon.port}/routing` },
    })
  }

  /** A user is answered and votes, a forged vote comes, and a request fails. */
  async function askAndVote(): Promise<void> {
    const answer = await gateway.ask()
    expect((await gateway.vote(answer)).status).toBe(202)
    expect((await gateway.vote({ ...answer, token: 'forged' })).status).toBe(403)
    upstream.handle = (_, response) => json(response, { error: { message: 'out of memory' } }, 500)
    expect((await gateway.post('/v1/chat/completions', { messages: [] })).status).toBe(500)
    upstream.handle = answerChat
  }

  beforeAll(async () => {
    const service = await embeddingService()
    end = service.close
    await kafka.client.topic(TOPIC, 2, { 'retention.ms': '3600000' })
    daemon = await DaemonProcess.create(join(kafka.directory, 'daemon'), {
      ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': TOPIC, 'stream.holdBack': '1s' },
      ...{ 'stream.shards': 2, 'limits.sources': ['chat-web'], 'limits.adapterAge': 2 },
      ...{
        'limits.userShare': 0.0004,
        'limits.userMinimum': 4,
        'limits.promptRepeats': 4,
        'limits.maxRecordBytes': '4KiB',
      },
      ...{ 'model.path': 'src/demo/model', 'limits.maxLength': MAX_LENGTH, 'ratio.minPerClass': 2 },
      ...{ 'ratio.embedder': 'endpoint', 'ratio.embeddingModel': 'lengths' },
      ...{ 'embeddings.url': service.url, 'embeddings.retries': 0 },
      ...{ 'batch.size': 4, 'batch.maxLatency': '300ms', 'checkpoint.every': '1s' },
      ...{ 'canary.controlShare': 0.4, 'canary.baseModel': 'base' },
    })
    daemon.start()
    const rules = join(kafka.directory, 'rules.json')
    writeFileSync(rules, JSON.stringify(ruleGroups()))
    gateway = await startGateway()
    const ports = { bcod: daemon.port, 'bcod-gateway': gateway.statusPort }
    prometheus = await PrometheusProcess.start(join(kafka.directory, 'prometheus'), ports, rules)
    await daemon.until(({ state }) => state === 'running')

    await learnt([...several('first', 40), ...Array.from({ length: 16 }, (_, index) => asked(index, 'once'))])
    service.down = true
    await learnt(several('unembedded', 8))
    service.down = false
    const two = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
    await learnt([
      ...several('first', 8), // duplicate
      ...two.map((name) => vote(`first-${name}`, { subject: `again-${name}`, user: name, label: true })),
      ...two.flatMap((name) => [
        vote(`wrong-${name}`, { subject: `changed-${name}`, user: name, label: true }),
        vote(`right-${name}`, { subject: `changed-${name}`, user: name, label: false }), // superseded
        vote(`regretted-${name}`, { subject: `back-${name}`, user: name, label: true }),
        vote(`back-${name}`, { subject: `back-${name}`, user: name, label: null }), // retracted, retraction
      ]),
      ...several('foreign', 8, { source: 'elsewhere' }),
      ...several('stale', 8, { adapter: 'v00000000' }),
      ...several('loud', 24, { user: 'one-user' }),
      ...several('same', 24, { prompt: 'The same prompt each time.' }),
      ...several('long', 8, {
        prompt_tokens: [3],
        completion_tokens: Array.from({ length: MAX_LENGTH + 1 }, () => 5),
      }),
      ...several('framed', 8).map(framed),
      ...several('untimed', 8).map((sent) => ({ ...sent, timestamp: '-1' })),
      ...two.map((name) => ({ key: `tomb-${name}`, value: null })),
      ...Object.entries(UNUSABLE).flatMap(([code, record]) => two.map((name) => record(`${code}-${name}`))),
    ])
    await learnt([
      ...two.map((name) => vote(`once-more-${name}`, { subject: `again-${name}`, user: name, label: true })), // repeat
      ...several('last', 40),
      ...Array.from({ length: 16 }, (_, index) => asked(index, 'again')), // their prompts are in the cache
    ])
    // nothing waits, and so the live version stays
    for (let i = 0; i < 3; i++) await askAndVote()
    const routing = (await (await daemon.get('/routing'))!.json()) as Routing
    const byArm = Array.from({ length: 160 }, (_, index) => {
      const user = `of-an-arm-${index}`
      const { model } = armOf(routing, user)!
      return vote(user, { user, adapter: model, label: index % 3 > 0 })
    })
    await learnt(byArm)
    const hasUplift = async () => (await (await daemon.get('/metrics'))!.text()).includes('\nbcod_uplift_ratio ')
    while (!(await hasUplift())) await sleep(200)
    for (let i = 0; i < 3; i++) await askAndVote()
    await sleep(3000) // three scrapes
  }, 300_000)

  afterAll(async () => {
    await prometheus?.stop()
    await daemon?.kill()
    await gateway?.kill()
    await upstream?.close()
    end?.()
  })

  it('every label, every reason for a drop and three codes of dead letters were met', async () => {
    const text = await (await daemon.get('/metrics'))!.text()
    const zeros = text.match(/^bcod_(feedback_dropped|feedback_events|embedded_prompts|framed_records)_total.* 0$/gm)
    expect(zeros ?? []).toEqual([])
    for (const code of Object.keys(UNUSABLE))
      await expect
        .poll(() => daemon.metric(`bcod_dead_letters_total{code="${code}"}`), { message: code })
        .toBeGreaterThan(0)
  })

  it('promtool has nothing to say against the metrics', async () => {
    for (const answer of [(await daemon.get('/metrics'))!, await gateway.look('/metrics')])
      expect(promtool(['check', 'metrics'], await answer.text())).toEqual({ code: 0, output: '' })
  })

  it.each(Object.keys(pages))('every query of every panel of grafana/%s.json has data', async (name) => {
    const empty: string[] = []
    const excused: string[] = []
    for (const { type, title, targets } of panelsOf(name)) {
      for (const { expr } of targets) {
        const values = (await prometheus.range(chosen(expr), WINDOW)).flatMap((answer) => answer.values)
        if (values.length > 0 && (type !== 'heatmap' || values.some((value) => value > 0))) continue
        const reason = mayBeEmpty.get(expr)
        if (reason === undefined) empty.push(`${title}: ${expr}`)
        else excused.push(`${title}: ${reason}`)
      }
    }
    if (excused.length > 0) console.info(`${name}, without data:\n  ${excused.join('\n  ')}`)
    expect(empty).toEqual([])
  })

  it('adapter versions are annotations, each with its number', async () => {
    for (const name of Object.keys(pages)) {
      for (const { expr } of committed(name).annotations.list.filter(({ name }) => name === 'Adapter versions')) {
        const versions = (await prometheus.range(chosen(expr), WINDOW)).map(({ labels }) => labels.version)
        expect(versions).toContain(String(await daemon.metric('bcod_adapter_version')))
      }
    }
  })

  it('the choices of job, instance, gateway and replica are there', async () => {
    expect(await prometheus.labelValues('job', 'bcod_lifecycle_state')).toEqual(['bcod'])
    expect(await prometheus.labelValues('instance', 'bcod_lifecycle_state{job=~"bcod"}')).toHaveLength(1)
    expect(await prometheus.labelValues('job', 'bcod_gateway_upstream_up')).toEqual(['bcod-gateway'])
    expect(await prometheus.labelValues('instance', 'bcod_gateway_upstream_up{job=~"bcod-gateway"}')).toHaveLength(1)
  })

  it('Prometheus evaluates every alert, and none fires', async () => {
    const rules = await prometheus.rules()
    expect(rules).toHaveLength(ruleGroups().groups.flatMap((group) => group.rules).length)
    for (const { name, health, lastError, state } of rules) {
      expect(`${name} ${health} ${lastError ?? ''}`).toBe(`${name} ok `)
      expect(state, name).not.toBe('firing')
    }
  })
})
