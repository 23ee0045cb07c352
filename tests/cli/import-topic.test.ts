import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { KafkaFeedbackLog } from '../../src/streams/kafka/log.js'
import { bcod, documentOf, scratchDirectory } from '../support/bcod.js'
import { Reading, until } from '../support/kafka-reading.js'
import { TestBroker } from '../support/test-broker.js'

const EXPORT = 'tests/import/fixtures/open-webui.json'
const kafka = new TestBroker('import')

const imported = (file: string, topic: string, ...more: readonly string[]) =>
  bcod(
    ...['import', '--from', 'open-webui', '--file', file, '--users', 'none', '--json'],
    ...['--set', `stream.brokers=${kafka.broker.bootstrap}`, '--set', `stream.topic=${topic}`, ...more],
  )

/** What a daemon would read from the topic. */
async function votes(topic: string, count: number) {
  const log = new KafkaFeedbackLog({ brokers: [kafka.broker.bootstrap], topic, groupId: topic })
  const reading = new Reading(log)
  await until(() => reading.records.length >= count)
  await log.close()
  return reading.records.map((record) => {
    const envelope = decodeEnvelope(record.value ?? new Uint8Array(), record.headers, 2 ** 20, { key: record.key })
    const { id, label } = toFeedback(envelope, record, { vocabSize: null })
    return [Buffer.from(record.key ?? []).toString(), id, label]
  })
}

test('publishes votes under their answers; with a state once, what changed, and what was removed', async () => {
  const topic = await kafka.client.topic('import-votes')
  const state = join(scratchDirectory(), 'state.json')
  const first = await imported(EXPORT, topic, '--state', state, '--complete')
  expect(first.code, first.stderr).toBe(0)
  expect(documentOf(first)).toMatchObject({ events: 3, out: `topic ${topic}` })
  expect(readFileSync(state, 'utf8')).not.toMatch(/lift|Behind/)
  expect(documentOf(await imported(EXPORT, topic, '--state', state))).toMatchObject({ events: 0 })
  const rows = JSON.parse(readFileSync(EXPORT, 'utf8')) as { id: string; updated_at: number; data: object }[]
  const later = rows
    .filter(({ id }) => id !== 'f2')
    .map((row) => (row.id === 'f1' ? { ...row, updated_at: 1772370000, data: { ...row.data, rating: -1 } } : row))
  const changed = join(scratchDirectory(), 'later.json')
  writeFileSync(changed, JSON.stringify(later))
  const second = documentOf(await imported(changed, topic, '--state', state, '--complete'))
  expect(second).toMatchObject({ events: 2, up: 0, down: 1, retracted: 1 })
  expect(await votes(topic, 5)).toEqual([
    ['m2', 'f1@1772366460', true],
    ['m5', 'f2@1772366999', false],
    ['o2', 'f8@1772367000', false],
    ['m2', 'f1@1772370000', false],
    ['m5', 'f2@1772366999:removed', null],
  ])
})

test('writes no state unless the topic has taken the votes', async () => {
  const state = join(scratchDirectory(), 'state.json')
  const { code, stderr } = await imported(EXPORT, 'import-none', '--state', state)
  expect(stderr).toMatch(/^KAFKA_TOPIC_MISSING /)
  expect([code, existsSync(state)]).toEqual([1, false])
})

test('needs a broker and a topic, or a file', async () => {
  const { code, stderr } = await bcod('import', '--from', 'open-webui', '--file', EXPORT, '--users', 'none')
  expect(stderr).toMatch(/^CONFIG_MISSING stream\.brokers: required by bcod import/)
  expect(code).toBe(2)
})
