import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { takeFence } from '../../src/checkpoint/fence.js'
import { DeadLetterSegments, type SegmentRef } from '../../src/streams/dead-letter-segments.js'
import { errorOf, temporaryDirectory } from '../support/checkpoints.js'

const letter = (index: number) => Buffer.from(`letter ${index} ${'x'.repeat(index % 50)}`)
const texts = (entries: readonly Uint8Array[]) =>
  entries.map((each) => Number(Buffer.from(each).toString().split(' ')[1]))
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i)

const open = (directory: string, segmentBytes = 1_000) => {
  const failures: unknown[] = []
  const fence = takeFence(directory)
  return {
    failures,
    segments: new DeadLetterSegments({ directory, fence, segmentBytes, failed: (e) => failures.push(e) }),
  }
}

/** What a process that starts from a checkpoint finds to be waiting. */
function restart(directory: string, refs: readonly SegmentRef[]) {
  const found: Uint8Array[] = []
  const { segments } = open(directory)
  segments.restore(refs, (entry) => found.push(entry))
  return { segments, waiting: texts(found) }
}

const files = (directory: string) =>
  readdirSync(join(directory, 'letters'))
    .filter((name) => !name.startsWith('acknowledged'))
    .sort()

test('entries come back in order, in portions, whatever is added meanwhile', () => {
  const { segments } = open(temporaryDirectory())
  for (const index of range(0, 100)) segments.append(letter(index))
  expect(texts(segments.peek(3, 1_000_000))).toEqual([0, 1, 2])
  expect(texts(segments.peek(100, 40))).toEqual([0, 1, 2])
  expect(texts(segments.peek(100, 1))).toEqual([0])
  const seen: number[] = []
  let added = 100
  while (segments.count > 0) {
    const entries = segments.peek(7, 300)
    if (added < 130) segments.append(letter(added++))
    segments.acknowledge(entries)
    seen.push(...texts(entries))
  }
  expect(seen).toEqual(range(0, 130))
})

test('each entry is written once, and only its owner can read it', async () => {
  const directory = temporaryDirectory()
  const { segments } = open(directory)
  for (const index of range(0, 100)) segments.append(letter(index))
  const before = files(directory).map((name) => statSync(join(directory, 'letters', name)).mtimeMs)
  for (let checkpoint = 0; checkpoint < 20; checkpoint++) {
    expect(JSON.stringify(segments.snapshot()).length).toBeLessThan(1_500)
    await segments.sync()
  }
  expect(files(directory).map((name) => statSync(join(directory, 'letters', name)).mtimeMs)).toEqual(before)
  expect(statSync(join(directory, 'letters')).mode & 0o777).toBe(0o700)
  for (const name of files(directory)) expect(statSync(join(directory, 'letters', name)).mode & 0o777).toBe(0o600)
})

test('what a segment holds is removed from the disk once all of it is acknowledged', async () => {
  const directory = temporaryDirectory()
  const { segments, failures } = open(directory)
  for (const index of range(0, 200)) segments.append(letter(index))
  const many = files(directory).length
  expect(many).toBeGreaterThan(3)
  for (let taken = 0; taken < 150; ) {
    const entries = segments.peek(10, 1_000_000)
    segments.acknowledge(entries)
    taken += entries.length
  }
  const refs = segments.snapshot()
  while (segments.count > 0) segments.acknowledge(segments.peek(100, 1_000_000))
  await segments.close()
  expect([files(directory), segments.bytes, failures]).toEqual([[], 0, []])
  // a checkpoint from before still knows them: they are not missing, they are done
  expect(restart(directory, refs).waiting).toEqual([])
})

test('a restart takes up what its checkpoint knows, and no more: the rest is read from the topic again', async () => {
  const directory = temporaryDirectory()
  const { segments } = open(directory)
  for (const index of range(0, 60)) segments.append(letter(index))
  segments.acknowledge(segments.peek(5, 1_000_000))
  await segments.sync()
  const refs = segments.snapshot()
  for (const index of range(60, 120)) segments.append(letter(index))
  // half an entry, as a kill leaves it
  appendFileSync(join(directory, 'letters', files(directory).at(-1)!), Buffer.from([255, 0, 0, 0, 1]))

  const again = restart(directory, refs)
  expect(again.waiting).toEqual(range(5, 60))
  expect(files(directory)).toEqual(refs.map(({ name }) => name))
  for (const index of range(60, 80)) again.segments.append(letter(index))
  expect(again.segments.count).toBe(75)
  const later = again.segments.snapshot()
  expect(restart(directory, later).waiting).toEqual(range(5, 80))
  // and the older checkpoint is still whole
  expect(restart(directory, refs).waiting).toEqual(range(5, 60))
})

test('a segment number is never used for other letters: going back and forth between checkpoints is noticed', async () => {
  const directory = temporaryDirectory()
  const first = open(directory)
  first.segments.append(letter(1))
  const older = first.segments.snapshot()
  first.segments.append(Buffer.alloc(2_000))
  first.segments.append(letter(2))
  const newer = first.segments.snapshot()
  const other = restart(directory, older)
  other.segments.append(letter(3))
  while (other.segments.count > 0) other.segments.acknowledge(other.segments.peek(9, 9_999))
  await other.segments.close()
  const error = await errorOf(async () => restart(directory, newer))
  expect(error.code).toBe('LETTERS_DAMAGED')
})

test('what a checkpoint no longer refers to is done for the checkpoints before it too, also after a kill', async () => {
  const directory = temporaryDirectory()
  const { segments, failures } = open(directory)
  for (const index of range(0, 3)) segments.append(letter(index))
  await segments.sync()
  const before = segments.snapshot()
  // the note of it cannot be written
  mkdirSync(join(directory, 'letters', 'acknowledged.json.new'))
  segments.acknowledge(segments.peek(3, 1_000_000))
  const after = segments.snapshot()
  expect(after).toEqual([])
  expect((await errorOf(() => segments.sync())).code).toBe('CHECKPOINT_IO')
  expect([failures.length, files(directory).length, segments.bytes > 0]).toEqual([1, 1, true])
  rmSync(join(directory, 'letters', 'acknowledged.json.new'), { recursive: true })
  await segments.sync()
  // killed before the segment was removed: the restart removes it
  expect([files(directory).length, restart(directory, after).waiting, files(directory)]).toEqual([1, [], []])
  expect(restart(directory, before).waiting).toEqual([])
})

test.each([
  ['missing', (path: string) => rmSync(path), /is missing/],
  ['cut', (path: string) => truncateSync(path, 10), /expected \d+ bytes, got 10/],
  ['changed', (path: string) => writeFileSync(path, readFileSync(path).fill(1, 9, 10)), /expected sha256/],
])('a segment that is %s is an error with its place', async (_, spoil, message) => {
  const directory = temporaryDirectory()
  const { segments } = open(directory)
  for (const index of range(0, 10)) segments.append(letter(index))
  const refs = segments.snapshot()
  const path = join(directory, 'letters', files(directory)[0]!)
  spoil(path)
  const error = await errorOf(async () => restart(directory, refs))
  expect([error.code, error.place]).toEqual(['LETTERS_DAMAGED', path])
  expect(error.message).toMatch(message)
})

test('a writer that was overtaken begins no segment and removes none', async () => {
  const directory = temporaryDirectory()
  const { segments, failures } = open(directory)
  segments.append(letter(0))
  takeFence(directory)
  segments.acknowledge(segments.peek(1, 1))
  await segments.close()
  expect(files(directory)).toHaveLength(1)
  expect(failures).toMatchObject([{ code: 'FENCED' }])
  expect((await errorOf(async () => segments.append(letter(1)))).code).toBe('FENCED')
})

test('whenever it is killed, every letter of the last checkpoint waits or was acknowledged, and none comes from elsewhere', async () => {
  const act = fc.oneof(
    { weight: 6, arbitrary: fc.record({ add: fc.integer({ min: 1, max: 12 }) }) },
    { weight: 4, arbitrary: fc.record({ take: fc.integer({ min: 1, max: 15 }) }) },
    { weight: 3, arbitrary: fc.constant('checkpoint' as const) },
    { weight: 2, arbitrary: fc.constantFrom('kill' as const, 'kill, and the newest checkpoint is damaged' as const) },
  )
  await fc.assert(
    fc.asyncProperty(fc.array(act, { maxLength: 40 }), async (acts) => {
      const directory = temporaryDirectory()
      let { segments } = open(directory, 200)
      let next = 0
      const durable = [{ refs: [] as readonly SegmentRef[], waiting: [] as readonly number[] }]
      let waiting: number[] = []
      const acknowledged = new Set<number>()
      for (const what of acts) {
        if (what === 'checkpoint') {
          const refs = segments.snapshot()
          await segments.sync()
          durable.push({ refs, waiting: [...waiting] })
        } else if (typeof what === 'string') {
          if (what !== 'kill' && durable.length > 1) durable.pop()
          const last = durable.at(-1)!
          // removals may be under way: some have happened, some have not
          const found: Uint8Array[] = []
          segments = open(directory, 200).segments
          segments.restore(last.refs, (entry) => found.push(entry))
          const got = new Set(texts(found))
          for (const each of last.waiting) expect(got.has(each) || acknowledged.has(each)).toBe(true)
          for (const each of got) expect(last.waiting).toContain(each)
          waiting = texts(found)
        } else if ('add' in what) {
          for (let i = 0; i < what.add; i++) {
            segments.append(letter(next))
            waiting.push(next++)
          }
        } else {
          const entries = segments.peek(what.take, 1_000)
          expect(texts(entries)).toEqual(waiting.slice(0, entries.length))
          for (const each of waiting.splice(0, entries.length)) acknowledged.add(each)
          segments.acknowledge(entries)
        }
      }
      await segments.close()
    }),
    { numRuns: 60 },
  )
})
