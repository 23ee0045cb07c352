import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, settled } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { thorough } from '../support/thorough.js'
import { votes } from './feedback.js'
import { expectUnharmed, replayLineage } from './oracle.js'

const kafka = new TestBroker('embedder')

/** An embedding service that knows only how long a text is; `down` makes it answer with 503. */
async function embeddingService() {
  const service = { url: '', requests: 0, down: false }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    service.requests += 1
    if (service.down) return response.writeHead(503).end()
    const { input } = JSON.parse(body) as { input: string[] }
    const data = input.map((text, index) => ({ index, embedding: [text.length, text.split(' ').length, 1] }))
    response.end(JSON.stringify({ data }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  service.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  onTestFinished(() => void server.close())
  return service
}

async function daemonOn(topic: string, settings: Readonly<Record<string, unknown>>): Promise<DaemonProcess> {
  await kafka.client.topic(topic)
  await kafka.client.topic(`${topic}.dlq`)
  const daemon = await DaemonProcess.create(join(kafka.directory, topic), {
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': topic, 'stream.groupId': topic },
    ...{ 'batch.size': 4, 'batch.maxLatency': '200ms', 'checkpoint.every': '300ms', 'ratio.minPerClass': 2 },
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  return daemon
}

const RESET = /the prompt classifier starts over/

test('an embedding service is asked, may go away and come back, and a replay needs none', async () => {
  const service = await embeddingService()
  const daemon = await daemonOn('endpoint', {
    ...{ 'model.path': 'src/demo/model', 'limits.maxLength': 64, 'ratio.embedder': 'endpoint' },
    ...{ 'ratio.embeddingModel': 'lengths', 'embeddings.url': service.url, 'embeddings.retries': 1 },
  })
  daemon.start()
  await daemon.until(({ state }) => state === 'running')
  const trained = async (from: number, count: number) => {
    await kafka.client.send('endpoint', votes(from, count))
    await daemon.until(
      (status) => settled(status) && daemon.journal().flatMap((line) => line.events).length >= from + count,
    )
  }
  await trained(0, 24)
  service.down = true
  await trained(24, 16)
  service.down = false
  await trained(40, 16)
  const embedded = (outcome: string) => daemon.metric(`bcod_embedded_prompts_total{outcome="${outcome}"}`)
  expect(await embedded('failed')).toBe(16)
  expect((await embedded('embedded')) + (await embedded('cached'))).toBe(40)
  await expect.poll(() => daemon.metric('bcod_classifier_refused_prompts')).toBeGreaterThanOrEqual(12)
  await expect.poll(() => daemon.metric('bcod_classifier_ready')).toBe(1)
  expect(daemon.log.match(/EMBEDDINGS_UNAVAILABLE/g)).toHaveLength(1)
  expect(await daemon.stop()).toBe(0)

  const events = daemon.journal().flatMap((line) => line.events)
  expect(events.filter(({ embedding }) => embedding === null)).toHaveLength(16)
  expect(events.filter(({ embedding }) => typeof embedding === 'string')).toHaveLength(40)
  const before = service.requests
  await expectUnharmed(
    daemon,
    kafka.client,
    { brokers: [kafka.broker.bootstrap] },
    { topic: 'endpoint', groupId: 'endpoint', trained: votes(0, 56).map((_, i) => `vote-${i}`), letters: 0 },
  )
  expect(service.requests).toBe(before)
})

test.runIf(thorough)(
  'another embedder resets the classifier, which is said once, and the line can still be replayed',
  async () => {
    const daemon = await daemonOn('changed', {})
    daemon.start()
    await kafka.client.send('changed', votes(0, 24))
    await daemon.until((status) => settled(status) && status.step >= 6)
    await expect.poll(() => daemon.metric('bcod_classifier_ready')).toBe(1)
    expect(await daemon.stop()).toBe(0)
    expect(daemon.log).not.toMatch(RESET)

    const ngrams = ['--set', 'ratio.embedder=ngrams']
    daemon.start(...ngrams)
    await kafka.client.send('changed', votes(24, 4))
    await daemon.until((status) => settled(status) && status.step >= 7)
    expect(daemon.log.match(new RegExp(RESET, 'g'))).toHaveLength(1)
    await expect.poll(() => daemon.metric('bcod_classifier_ready')).toBe(0)
    expect(await daemon.stop()).toBe(0)

    daemon.start(...ngrams)
    await kafka.client.send('changed', votes(28, 24))
    await daemon.until((status) => settled(status) && status.step >= 13)
    expect(daemon.log).not.toMatch(RESET)
    await expect.poll(() => daemon.metric('bcod_classifier_ready')).toBe(1)
    expect(await daemon.stop()).toBe(0)
    expect(replayLineage(daemon).adapter_sha256).toBe(daemon.journal().at(-1)!.adapter_sha256)
  },
)
