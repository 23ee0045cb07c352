import { afterAll, beforeAll, expect, it } from 'vitest'
import { readTopic } from '../daemon/feedback.js'
import { GatewayProcess } from '../support/gateway-process.js'
import { heldVotes } from '../support/held-votes.js'
import { TestBroker } from '../support/test-broker.js'
import { StandInUpstream } from '../support/upstream.js'

const kafka = new TestBroker('gateway-toggles')
const TOPIC = 'toggles'
/** Of the two replicas' clocks, milliseconds. */
const CLOCKS = [30_000, -30_000]

let upstream: StandInUpstream
let replicas: GatewayProcess[]
beforeAll(async () => {
  upstream = await StandInUpstream.start()
  for (const topic of [TOPIC, `${TOPIC}.completions`]) await kafka.client.topic(topic, 2)
  const settings = { upstreams: [upstream.url], bootstrap: kafka.broker.bootstrap, topic: TOPIC }
  replicas = await Promise.all(
    CLOCKS.map((clockOffset) => GatewayProcess.start(kafka.directory, { ...settings, clockOffset })),
  )
})
afterAll(async () => {
  await Promise.all(replicas?.map((each) => each.kill()) ?? [])
  await upstream?.close()
})

/** A thumb, and the replica that gets it. */
type Thumb = readonly [label: boolean | null, replica: number]

/** Every way to give three thumbs to two replicas. */
const ways = (labels: readonly (boolean | null)[]): Thumb[][] =>
  Array.from({ length: 2 ** labels.length }, (_, way) => labels.map((label, i) => [label, (way >> i) & 1] as const))

it('thumbs that follow each other at replicas with clocks a minute apart: the last one counts, whoever took it', async () => {
  const plans = [
    ...ways([true, false, true]),
    ...ways([false, true, null]),
    ...ways([true, null, true]),
    // a double click, and then another mind
    ...ways([true, true, false]),
  ]
  const expected = new Map<string, boolean | null>()
  for (const [i, plan] of plans.entries()) {
    const answer = await replicas[i % 2]!.ask({ user: `user-${i}` })
    for (const [label, replica] of plan) {
      const { status } = await replicas[replica]!.vote({ ...answer, label })
      expect(status).toBe(202)
    }
    expected.set(answer.completion, plan.at(-1)![0])
  }
  const held = heldVotes(await readTopic(kafka.client, TOPIC, { brokers: [kafka.broker.bootstrap] }))
  for (const [completion, label] of expected) expect(held.get(completion) ?? null).toBe(label)
  expect(held.size).toBe([...expected.values()].filter((label) => label !== null).length)
})
