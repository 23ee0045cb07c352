import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { KafkaFeedbackLog } from '../../src/streams/kafka/log.js'
import { GatewayProcess } from '../support/gateway-process.js'
import { heldVotes } from '../support/held-votes.js'
import { startBroker } from '../support/kafka-broker.js'
import { Reading, until } from '../support/kafka-reading.js'
import { OwnBroker } from '../support/test-broker.js'

const kafka = new OwnBroker('gateway-kill')
/** A model server that says one thing. */
const upstream = createServer((request, response) => {
  request.resume()
  const message = { role: 'assistant', content: 'On its way.' }
  const answer = { id: 'chatcmpl-1', object: 'chat.completion', model: 'shop', usage: { total_tokens: 9 } }
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify({ ...answer, choices: [{ index: 0, message, finish_reason: 'stop' }] }))
})
let url = ''
beforeAll(async () => {
  await once(upstream.listen(0, '127.0.0.1'), 'listening')
  url = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`
})
afterAll(() => upstream.close())

const startReplica = async (topic: string): Promise<GatewayProcess> => {
  const { bootstrap } = kafka.broker
  const replica = await GatewayProcess.start(kafka.directory, { upstreams: [url], bootstrap, topic })
  onTestFinished(() => replica.kill())
  return replica
}

/** The broker neither answers nor ends a connection until it is called. */
function suspended(): () => void {
  process.kill(kafka.broker.pid, 'SIGSTOP')
  const resume = () => process.kill(kafka.broker.pid, 'SIGCONT')
  onTestFinished(() => void resume())
  return resume
}

async function topics(name: string): Promise<string> {
  await kafka.client.topic(`${name}.completions`, 2)
  return kafka.client.topic(name, 2)
}

/** The answers whose votes come through the daemon's dedup and hold-back. */
async function counted(topic: string): Promise<readonly (string | null)[]> {
  const log = new KafkaFeedbackLog({ brokers: [kafka.broker.bootstrap], topic, groupId: `${topic}-daemon` })
  onTestFinished(() => log.close())
  const reading = new Reading(log)
  await until(() => reading.records.length > 0 && reading.next.size === 2)
  await sleep(2_000) // a vote too many would come now
  return [...heldVotes(reading.records).keys()]
}

describe('a replica that is killed', () => {
  it('between a vote and its acknowledgement has acknowledged nothing, and the vote counts once through another one', async () => {
    const topic = await topics('gateway-kill-vote')
    const [one, other] = await Promise.all([startReplica(topic), startReplica(topic)])
    const answer = await one.ask()
    expect((await other.vote(answer)).status).toBe(202)
    const second = await one.ask()
    await other.ask()
    await sleep(1_000) // its record is in the log

    const resume = suspended()
    const cutOff = one.vote(second).catch(() => 'no answer')
    await sleep(1_000)
    await one.kill()
    expect(await cutOff).toBe('no answer')
    resume()
    // Kafka may have taken the first one after all
    expect((await other.vote(second)).status).toBe(202)
    expect((await other.vote(second)).status).toBe(202)
    const votes = await counted(topic)
    expect([...votes].sort()).toEqual([answer.completion, second.completion].sort())
  })

  it('between an answer and its record leaves an answer that nobody can vote on, and says so', async () => {
    const topic = await topics('gateway-kill-answer')
    const [one, other] = await Promise.all([startReplica(topic), startReplica(topic)])
    const before = await one.ask()
    await sleep(1_000)
    const { dir, port } = kafka.broker
    await kafka.broker.kill()
    const lost = await one.ask()
    await one.kill()
    const again = await startBroker({ dir, port })
    onTestFinished(() => again.stop())
    expect(await other.vote(lost)).toMatchObject({ status: 404, body: { error: { code: 'COMPLETION_UNKNOWN' } } })
    expect((await other.vote(before)).status).toBe(202)
  })
})
