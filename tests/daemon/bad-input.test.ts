import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DaemonProcess, freePort, settled } from '../support/daemon.js'
import { zstdBomb, zstdFrame } from '../support/packed.js'
import { CODEC, encodeBatch, encodeRecords, RawProducer } from '../support/record-batches.js'
import { TestBroker } from '../support/test-broker.js'
import { byName, offsetsOf, readLetters, trainedIds, vote, voteIds, votes } from './feedback.js'

const kafka = new TestBroker('bad')
const { directory } = kafka

const daemonOn = async (topic: string, settings: Readonly<Record<string, unknown>> = {}) => {
  const daemon = await DaemonProcess.create(join(directory, topic), {
    'stream.brokers': [kafka.broker.bootstrap],
    'stream.topic': topic,
    'stream.groupId': topic,
    'batch.maxLatency': '300ms',
    'checkpoint.every': '300ms',
    ...settings,
  })
  onTestFinished(() => daemon.kill())
  return daemon
}

/** Stands in every text and name: it must not be seen outside of the topics. */
const SECRET = 'Kohlrabi'
const TEN_MEGABYTES = 10_000_000

function textVote(index: number, changes: { completion?: string; prompt?: string; label?: unknown } = {}): string {
  const { prompt = `How do I cook ${SECRET}?`, completion = `Steam the ${SECRET}.`, label = index % 2 === 0 } = changes
  const data = { prompt, completion, label, user: `${SECRET}-user` }
  const event = { specversion: '1.0', type: 'bcod.feedback.v1', source: 'test', id: `vote-${index}`, data }
  return JSON.stringify({ ...event, subject: `${SECRET}-${index}` })
}

test('each record of no use becomes a dead letter with its reason, and everything else trains', async () => {
  await kafka.client.topic('bad', 1, { 'max.message.bytes': '16777216' })
  const long = textVote(90, { prompt: `${SECRET} `.repeat(TEN_MEGABYTES / (SECRET.length + 1)) })
  const missing = JSON.stringify({ ...JSON.parse(textVote(91)), data: { prompt: SECRET, label: true } })
  const bad: [value: string | Buffer, code: string, message: RegExp, stage: string][] = [
    [`${SECRET} is no JSON`, 'FEEDBACK_NOT_JSON', /^FEEDBACK_NOT_JSON/, 'decode'],
    [Buffer.from([0xff, 0xfe, 0x00]), 'FEEDBACK_NOT_JSON', /^FEEDBACK_NOT_JSON/, 'decode'],
    [missing, 'FEEDBACK_INVALID', /data\.completion/, 'validate'],
    [
      textVote(92, { label: 'yes' }),
      'FEEDBACK_INVALID',
      /data\.label: expected boolean or null, got a string of 3 characters/,
      'validate',
    ],
    [textVote(93, { completion: '' }), 'FEEDBACK_INVALID', /data\.completion: .*empty/, 'validate'],
    [long, 'FEEDBACK_TOO_LARGE', /^FEEDBACK_TOO_LARGE: \d+ bytes, at most 1048576/, 'decode'],
  ]
  const records = bad.flatMap(([value], i) => [
    { key: `${SECRET}-good-${i}`, value: textVote(i) },
    { key: `${SECRET}-bad-${i}`, value },
  ])
  for (const record of records) await kafka.client.send('bad', [record])
  await kafka.client.send('bad', [{ key: 'last', value: textVote(bad.length) }])

  const daemon = await daemonOn('bad', { 'model.path': 'src/demo/model', 'limits.maxLength': 64 })
  daemon.start()
  const { step } = await daemon.until((status) => settled(status) && status.step > 0)
  const counted = (code: string) => daemon.metric(`bcod_dead_letters_total{code="${code}"}`)
  expect(await counted('FEEDBACK_NOT_JSON')).toBe(2)
  expect(await counted('FEEDBACK_INVALID')).toBe(3)
  expect(await counted('FEEDBACK_TOO_LARGE')).toBe(1)
  expect(await daemon.stop()).toBe(0)

  const letters = await readLetters(kafka.client, 'bad.dlq', { brokers: [kafka.broker.bootstrap] })
  expect(letters.map(({ id, code, stage, key }) => [id, code, stage, key])).toEqual(
    bad.map(([, code, , stage], i) => [`bad-0-${2 * i + 1}`, code, stage, `${SECRET}-bad-${i}`]),
  )
  letters.forEach(({ message, value, headers }, i) => {
    const [sent, , pattern] = bad[i]!
    const whole = Buffer.from(sent)
    expect(message).toMatch(pattern)
    expect(message).not.toContain(SECRET)
    expect(whole.subarray(0, value.length).equals(value)).toBe(true)
    if (value.length === whole.length) return
    expect(i).toBe(bad.length - 1)
    expect(headers['bcod.error.value.length']).toBe(String(whole.length))
    expect(headers['bcod.error.value.sha256']).toBe(createHash('sha256').update(whole).digest('hex'))
  })

  expect(trainedIds(daemon.journal()).sort(byName)).toEqual(voteIds(0, bad.length + 1))
  expect(daemon.journal().map((line) => line.step)).toEqual(Array.from({ length: step }, (_, i) => i + 1))
  const { end, committed } = await offsetsOf(kafka.client, 'bad', 'bad')
  expect(committed).toEqual(end)
  expect(daemon.log).not.toContain(SECRET)
})

test('text for a model without a tokenizer is a dead letter that says so, token ids train', async () => {
  await kafka.client.topic('text')
  await kafka.client.send('text', [vote(0), { key: 'k', value: textVote(90) }, vote(1)])
  const daemon = await daemonOn('text')
  daemon.start()
  await daemon.until((status) => settled(status) && status.step > 0)
  await expect.poll(() => daemon.metric('bcod_dead_letters_total{code="TEXT_WITHOUT_TOKENIZER"}')).toBe(1)
  expect(await daemon.stop()).toBe(0)
  const letters = await readLetters(kafka.client, 'text.dlq', { brokers: [kafka.broker.bootstrap] })
  expect(letters.map(({ id, code }) => [id, code])).toEqual([['text-0-1', 'TEXT_WITHOUT_TOKENIZER']])
  expect(trainedIds(daemon.journal()).sort(byName)).toEqual(voteIds(0, 2))
  expect((await offsetsOf(kafka.client, 'text', 'text')).committed).toEqual({ 0: '3' })
  expect(daemon.log).not.toContain(SECRET)
})

test('without a broker the start ends with the address and what to do, and leaves no checkpoint', async () => {
  const address = `127.0.0.1:${await freePort()}`
  const daemon = await daemonOn('nowhere', { 'stream.brokers': [address], 'stream.connectTimeout': '1500ms' })
  daemon.start()
  await daemon.says(/"state":"joining"/)
  const joining = Date.now()
  expect(await daemon.exit()).toEqual({ code: 1, signal: null })
  expect(Date.now() - joining).toBeLessThan(5000)
  const said = daemon.log.slice(daemon.log.indexOf('\nKAFKA_UNREACHABLE'))
  expect(said).toContain(`KAFKA_UNREACHABLE ${address}: no broker answered within 1500 ms`)
  expect(said).toContain('-> Check stream.brokers')
  expect(daemon.checkpointNames()).toEqual([])
})

test('batches that cannot be read are one dead letter each for their offsets, and everything around them trains', async () => {
  await kafka.client.topic('packed', 1, { 'retention.ms': '-1' })
  const producer = new RawProducer(kafka.broker.bootstrap)
  const headers = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`h${i}`, '']))
  // a broker looks at the offsets of packed records alone
  const repeated = encodeBatch(encodeRecords([0, 1, 1].map((offsetDelta) => ({ offsetDelta }))), 3)
  const bomb = encodeBatch(zstdFrame(zstdBomb(256 * 2 ** 20)), 1, { attributes: CODEC.zstd })
  await kafka.client.send('packed', [...votes(0, 4), { ...vote(4), headers }])
  expect(await producer.send('packed', repeated)).toEqual({ error: 0, offset: 5 })
  await kafka.client.send('packed', votes(5, 2))
  expect(await producer.send('packed', bomb)).toEqual({ error: 0, offset: 10 })
  await kafka.client.send('packed', votes(7, 3))

  const daemon = await daemonOn('packed')
  daemon.start()
  const { step } = await daemon.until((status) => settled(status) && status.step > 0)
  const counted = (name: string, code: string) => daemon.metric(`bcod_${name}_total{code="${code}"}`)
  expect(await counted('dead_letters', 'KAFKA_BATCH_DAMAGED')).toBe(1)
  expect(await counted('unreadable_records', 'KAFKA_BATCH_DAMAGED')).toBe(3)
  expect(await counted('dead_letters', 'KAFKA_BATCH_TOO_LARGE')).toBe(1)
  expect(await daemon.stop()).toBe(0)
  expect(step).toBeGreaterThan(0)
  expect(trainedIds(daemon.journal()).sort(byName)).toEqual(voteIds(0, 10))
  const { end, committed } = await offsetsOf(kafka.client, 'packed', 'packed')
  expect(committed).toEqual(end)

  const letters = await readLetters(kafka.client, 'packed.dlq', { brokers: [kafka.broker.bootstrap] })
  expect(letters.map(({ id, code, stage, headers }) => [id, code, stage, headers['bcod.error.last_offset']])).toEqual([
    ['packed-0-5', 'KAFKA_BATCH_DAMAGED', 'unpack', '7'],
    ['packed-0-10', 'KAFKA_BATCH_TOO_LARGE', 'unpack', '10'],
  ])
  // as the broker keeps it: but for what it fills in, which is the offset and the epoch of its leader
  expect(letters[0]!.value.subarray(16).equals(repeated.subarray(16))).toBe(true)
})
