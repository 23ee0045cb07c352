import { mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeMulti } from '@msgpack/msgpack'
import fc from 'fast-check'
import { afterAll, expect, onTestFinished, test } from 'vitest'
import { EmbeddedLog } from '../../src/streams/embedded-log.js'
import { Reading, until } from '../support/kafka-reading.js'

const root = mkdtempSync(join(tmpdir(), 'bcod-embedded-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const directory = () => mkdtempSync(join(root, 'log-'))

function open(path: string): EmbeddedLog {
  const log = new EmbeddedLog(path, 'feedback')
  onTestFinished(() => log.close())
  return log
}

const record = (text: string) => ({ timestamp: 5, key: Buffer.from(text), value: Buffer.from(text), headers: {} })
const records = (...texts: string[]) => texts.map(record)

test('hands on what is appended, each append as one batch, from the position that it is asked for', async () => {
  const log = open(directory())
  log.append(records('a', 'b', 'c'))
  const reading = new Reading(log, () => new Map([[0, 1]]))
  await until(() => reading.records.length === 2)
  log.append(records('d', 'e'))
  expect(reading.values).toEqual(['b', 'c', 'd', 'e'])
  expect(reading.records.map(({ topic, partition, offset }) => [topic, partition, offset])).toEqual(
    [1, 2, 3, 4].map((offset) => ['feedback', 0, offset]),
  )
  expect(reading.batches.map(({ nextOffset, logEnd }) => [nextOffset, logEnd])).toEqual([
    [3, 3],
    [5, 5],
  ])
})

test('says what it holds and what was committed', async () => {
  const log = open(directory())
  log.append(records('a', 'b'))
  await log.commit(new Map([[0, 1]]))
  const reading = new Reading(log)
  await until(() => reading.records.length === 1)
  expect(reading.assignments).toEqual([
    { partitions: [0], total: 1, bounds: new Map([[0, { start: 0, end: 2 }]]), committed: new Map([[0, 1]]) },
  ])
  expect(Buffer.from((await log.recordAt(0, 1))?.value ?? []).toString()).toBe('b')
  expect([await log.recordAt(0, 2), await log.recordAt(1, 0)]).toEqual([null, null])
})

test('paused it hands nothing on, resumed it catches up', async () => {
  const log = open(directory())
  const reading = new Reading(log)
  await until(() => reading.assignments.length === 1)
  log.pause()
  log.append(records('a'))
  log.append(records('b'))
  expect(reading.records).toEqual([])
  log.resume()
  expect(reading.values).toEqual(['a', 'b'])
  reading.leave()
  log.append(records('c'))
  expect(reading.values).toEqual(['a', 'b'])
})

test('a refused position ends the stream', async () => {
  const log = open(directory())
  const reading = new Reading(log, () => Promise.reject(new Error('no')))
  await until(() => reading.error !== undefined)
  expect(reading.error).toEqual(new Error('no'))
})

const bytes = fc.option(fc.uint8Array({ maxLength: 30 }))
const stored = fc.record({
  timestamp: fc.maxSafeNat(),
  key: bytes,
  value: bytes,
  headers: fc.dictionary(fc.string({ maxLength: 5 }), fc.uint8Array({ maxLength: 5 }), { noNullPrototype: true }),
})

test('opened again it has the same records, and goes on after them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(stored, { maxLength: 4 }), { maxLength: 4 }), async (appends) => {
      const path = directory()
      const log = new EmbeddedLog(path, 'feedback')
      for (const each of appends) log.append(each)
      await log.close()
      const again = new EmbeddedLog(path, 'feedback')
      again.append(records('last'))
      const all = [...appends.flat(), record('last')]
      expect(again.end).toBe(all.length)
      for (const [offset, { timestamp, key, value, headers }] of all.entries()) {
        const found = (await again.recordAt(0, offset))!
        const plain = (of: Uint8Array | null) => of && Uint8Array.from(of)
        expect([found.timestamp, plain(found.key), plain(found.value)]).toEqual([timestamp, plain(key), plain(value)])
        expect(Object.keys(found.headers)).toEqual(Object.keys(headers))
      }
      await again.close()
    }),
    { numRuns: 30 },
  )
})

test('a record that a crash cut short is cut off, the ones before it stay', async () => {
  const path = directory()
  const file = join(path, 'feedback.log')
  const log = new EmbeddedLog(path, 'feedback')
  log.append(records('a', 'b'))
  const whole = readFileSync(file).length
  log.append(records('a record that is not written to its end'))
  await log.close()
  truncateSync(file, whole + 20)

  const again = new EmbeddedLog(path, 'feedback')
  expect(again.end).toBe(2)
  again.append(records('c'))
  await again.close()
  const reading = new Reading(open(path))
  await until(() => reading.records.length === 3)
  expect(reading.values).toEqual(['a', 'b', 'c'])
})

test('dead letters are appended to a file of their own', async () => {
  const path = directory()
  const log = open(path)
  const letter = (offset: number) => ({
    record: { ...record('x'), topic: 'feedback', partition: 0, offset },
    ...{ code: 'FEEDBACK_INVALID', message: 'm', stage: 's' },
  })
  await log.writeDeadLetters([letter(0), letter(4)])
  await log.writeDeadLetters([letter(9)])
  const file = readFileSync(join(path, 'feedback.dlq.log'))
  const letters = [...(decodeMulti(file) as Iterable<ReturnType<typeof letter>>)]
  expect(letters.map(({ code, record }) => [code, record.offset])).toEqual([
    ['FEEDBACK_INVALID', 0],
    ['FEEDBACK_INVALID', 4],
    ['FEEDBACK_INVALID', 9],
  ])
  expect(Buffer.from(letters[0]!.record.value).toString()).toBe('x')
})
