import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { seededRandom } from '../../src/model/random.js'
import { eventually, offsetsOf, readLetters, readTopic } from '../daemon/feedback.js'
import { GatewayProcess } from '../support/gateway-process.js'
import { heldVotes } from '../support/held-votes.js'
import { type Broker, startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { StandInUpstream } from '../support/upstream.js'
import { PersistentProducer } from './persistent-producer.js'
import { type Ballot, Voter } from './voter.js'
import { type LoggedVote, votesOfLog } from './votes-of-log.js'

/** `make soak MINUTES=30 SEED=7`; a minute, with the same seed each time, is in `make test-faults`. */
const MINUTES = Number(process.env.SOAK_MINUTES || 1)
const SEED = Number(process.env.SOAK_SEED || 1)
const [TOPIC, VOTES, COMPLETIONS] = ['soak', 'soak.by-id', 'soak.completions']
const PARTITIONS = 3
const VOTERS = 6
const PROPERTIES = { 'broker.session.timeout.ms': '4000' }
/** Of the two replicas' clocks, milliseconds. */
const CLOCKS = [20_000, -20_000]

const directory = mkdtempSync(join(tmpdir(), 'bcod-gateway-soak-'))
let broker: Broker
let upstream: StandInUpstream
beforeAll(async () => {
  broker = await startBroker({ dir: join(directory, 'kafka'), properties: PROPERTIES })
  upstream = await StandInUpstream.start()
})
afterAll(async () => {
  await upstream?.close()
  await broker?.stop()
  rmSync(directory, { recursive: true, force: true })
})

/** Two replicas, one of which may be gone for a while. */
class Pair {
  readonly killed = new Set<GatewayProcess>()
  private readonly places: (GatewayProcess | null)[] = [null, null]

  get live(): readonly GatewayProcess[] {
    return this.places.filter((each) => each !== null)
  }

  at(place: number): GatewayProcess {
    return this.places[place] as GatewayProcess
  }

  async start(place: number): Promise<void> {
    this.places[place] = await GatewayProcess.start(directory, {
      ...{ upstreams: [upstream.url], bootstrap: broker.bootstrap, topic: TOPIC, clockOffset: CLOCKS[place] ?? 0 },
      gateway: { votesTopic: VOTES, votesPerMinute: 1_000_000 },
      stream: { sessionTimeout: '3s' },
    })
  }

  /** As in a rolling update: the process ends, and another one takes its place. */
  async replace(place: number, end: (replica: GatewayProcess) => Promise<void>): Promise<void> {
    const replica = this.at(place)
    this.places[place] = null
    await end(replica)
    await this.start(place)
  }

  async close(): Promise<void> {
    await Promise.all(this.live.map((each) => each.kill()))
  }
}

/** What the log must have of a ballot: each acknowledged thumb once, in the order of their acknowledgements. */
function expectCounted(ballot: Ballot, logged: readonly LoggedVote[]): void {
  const { kind, thumbs, asked, open } = ballot
  const after = logged.slice(thumbs.length)
  if (open !== null) expect(after.every(({ label }) => label === open.label)).toBe(true)
  if (thumbs.length === 0) return
  const acknowledged = open === null ? logged : logged.slice(0, thumbs.length)
  const [labels, ids] = [acknowledged.map(({ label }) => label), acknowledged.map(({ id }) => id)]
  expect(new Set(logged.map(({ user }) => user)).size, asked.completion).toBe(1)
  if (kind === 'plain') {
    // one without a name that was sent again may be there more than once, but never with another thumb
    expect(ids).toEqual(expect.arrayContaining(thumbs.flatMap(({ events }) => events)))
    if (thumbs.some(({ wasRepeated }) => wasRepeated)) return
  }
  expect(labels, `${kind} ${asked.completion}`).toEqual(thumbs.map(({ label }) => label))
  if (kind !== 'topic') expect(ids).toEqual(thumbs.map(({ events }) => events[0]))
  for (const { events } of thumbs) expect(new Set(events).size).toBeLessThanOrEqual(1)
}

test(
  `${MINUTES} minutes of votes at two gateways, with random faults of seed ${SEED}: each acknowledged vote is there once`,
  async () => {
    console.log(`gateway soak: ${MINUTES} minutes, seed ${SEED}`)
    const random = seededRandom(SEED, 'gateway-soak')
    const between = (low: number, high: number) => low + random() * (high - low)
    const { port } = broker
    const client = await OtherClient.connect(broker.bootstrap)
    for (const topic of [TOPIC, VOTES, COMPLETIONS]) await client.topic(topic, PARTITIONS)
    await client.topic(`${VOTES}.dlq`)
    const pair = new Pair()
    await Promise.all([pair.start(0), pair.start(1)])
    const producer = new PersistentProducer(broker.bootstrap)
    const voters = Array.from({ length: VOTERS }, (_, i) => {
      const options = {
        replicas: () => pair.live,
        random: seededRandom(SEED, `voter-${i}`),
        producer,
        votesTopic: VOTES,
      }
      return new Voter(`voter-${i}`, options)
    })

    const restarted = async (wait: number) => {
      await broker.kill()
      await sleep(wait)
      broker = await startBroker({ dir: join(directory, 'kafka'), port, properties: PROPERTIES })
    }
    const suspended = async (signal: (name: NodeJS.Signals) => void, wait: number) => {
      signal('SIGSTOP')
      await sleep(wait)
      signal('SIGCONT')
    }
    const anyPlace = () => Math.floor(random() * 2)
    const faults: Readonly<Record<string, () => Promise<void>>> = {
      'kill -9': () =>
        pair.replace(anyPlace(), async (replica) => {
          pair.killed.add(replica)
          await replica.kill()
        }),
      'kill -9 without a broker': async () => {
        const place = anyPlace()
        process.kill(broker.pid, 'SIGSTOP')
        await sleep(between(0, 1_000))
        await pair.replace(place, async (replica) => {
          pair.killed.add(replica)
          await replica.kill()
          process.kill(broker.pid, 'SIGCONT')
        })
      },
      stop: () =>
        pair.replace(anyPlace(), async (replica) => {
          // its records reach the log again after the fault before
          await eventually(async () => (await replica.ask().catch(() => null))?.token != null)
          expect(await replica.stop()).toBe(0)
        }),
      // also beyond the session: the group then gives its partitions away
      suspend: () => {
        const replica = pair.at(anyPlace())
        return suspended((name) => replica.signal(name), between(200, 4_000))
      },
      'broker kill -9': () => restarted(between(0, 3_000)),
      // also beyond what a vote waits for
      'broker suspend': () => suspended((name) => void process.kill(broker.pid, name), between(200, 12_000)),
    }
    const names = Object.keys(faults)
    const counts: Record<string, number> = {}
    for (const end = Date.now() + MINUTES * 60_000; Date.now() < end; ) {
      const fault = names[Math.floor(random() * names.length)] as string
      counts[fault] = (counts[fault] ?? 0) + 1
      await faults[fault]!()
      await sleep(between(1_000, 5_000))
    }
    await Promise.all(voters.map((voter) => voter.stop()))
    const ballots = voters.flatMap((voter) => voter.ballots)

    const connection = { brokers: [broker.bootstrap] }
    await eventually(async () => {
      const { end, committed } = await offsetsOf(client, VOTES, 'bcod-gateway')
      return Object.entries(end).every(([partition, offset]) => offset === '0' || committed[+partition] === offset)
    }, 240_000)
    const completions = await readTopic(client, COMPLETIONS, connection)
    const answers = new Set(completions.map(({ key }) => Buffer.from(key!).toString()))
    const letters = await readLetters(client, `${VOTES}.dlq`, connection)
    const undelivered = new Set(letters.map(({ key }) => key))
    const records = await readTopic(client, TOPIC, connection)
    const logged = votesOfLog(records)
    const held = heldVotes(records)

    // an answer is lost only with the replica that gave it, which may have taken votes on it before: those count
    expect(letters.map(({ code }) => code).filter((code) => code !== 'COMPLETION_UNKNOWN')).toEqual([])
    const lost = ballots.filter(({ asked }) => !answers.has(asked.completion))
    for (const { by, kind, asked, thumbs } of lost) {
      expect(pair.killed).toContain(by)
      if (kind === 'topic')
        expect(undelivered.has(asked.completion) || logged.get(asked.completion)?.length === thumbs.length).toBe(true)
    }
    const kept = ballots.filter(({ asked }) => answers.has(asked.completion))
    const late = kept.filter(({ isUnknown, asked }) => isUnknown || undelivered.has(asked.completion))
    for (const { asked } of late) expect((await pair.at(0).vote(asked)).status).toBe(202)

    // of those in the topic some may have come before their answer, and others after it
    const counted = ballots.filter(({ kind, asked }) => kind !== 'topic' || !undelivered.has(asked.completion))
    for (const ballot of counted) {
      const { asked, thumbs, kind, open } = ballot
      expectCounted(ballot, logged.get(asked.completion) ?? [])
      const isSure = open === null && (kind !== 'plain' || thumbs.every(({ wasRepeated }) => !wasRepeated))
      if (isSure) expect(held.get(asked.completion) ?? null).toBe(thumbs.at(-1)?.label ?? null)
    }
    const known = new Set(ballots.map(({ asked }) => asked.completion))
    expect([...logged.keys()].filter((subject) => !known.has(subject))).toEqual([])
    const votes = counted.reduce((sum, { thumbs }) => sum + thumbs.length, 0)
    const events = [...logged.values()].reduce((sum, each) => sum + each.length, 0)
    const of = (name: 'repeated' | 'untokened' | 'unanswered') =>
      voters.reduce((sum, { counts }) => sum + counts[name], 0)
    console.log(
      `gateway soak: ${JSON.stringify(counts)}; ${ballots.length} answers, ${votes} votes acknowledged, ${of('repeated')} ` +
        `sent again, ${records.length} records of ${events} events; ${lost.length} answers lost, ${late.length} found late, ` +
        `${of('untokened')} without a token, ${of('unanswered')} requests failed`,
    )
    expect(votes).toBeGreaterThan(100 * MINUTES)
    await pair.close()
    await producer.close()
    await client.close()
  },
  3 * MINUTES * 60_000 + 600_000,
)
