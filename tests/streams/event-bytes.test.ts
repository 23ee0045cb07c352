import { expect, test } from 'vitest'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import type { Content, Feedback, TrainingEvent } from '../../src/events/types.js'
import { Batcher } from '../../src/streams/batcher.js'
import { DeadLetterQueue } from '../../src/streams/dead-letter-queue.js'
import { HeldOutVotes } from '../../src/streams/held-out-votes.js'
import { HoldBack } from '../../src/streams/hold-back.js'
import { MemoryAccount } from '../../src/streams/memory-ledger.js'
import { Positions } from '../../src/streams/positions.js'
import { VoteLedger } from '../../src/streams/vote-ledger.js'
import { portions } from '../../src/streams/wire/portions.js'
import { toTrainingEvent } from '../../src/text/training-event.js'
import { encodeBatch, encodeRecords } from '../support/record-batches.js'
import { thorough } from '../support/thorough.js'
import { usedBytes } from './heap.js'

interface Shape {
  readonly name: (index: number) => string
  readonly data: (index: number) => object
  readonly bySubject?: boolean
}

const ids = (count: number) => Array.from({ length: count }, (_, i) => (i * 7919) % 32_000)
const tokens = (prompt: number, completion: number) => () => ({
  ...{ prompt_tokens: ids(prompt), completion_tokens: ids(completion) },
})
const short = (index: number) => `name-${index}`
/** Of the greatest length that a name may have. */
const long = (character: string) => (index: number) => `${String(index).padStart(8, '0')}${character.repeat(1016)}`
const messages = (count: number, content: string) => (index: number) => ({
  prompt: Array.from({ length: count }, () => ({ role: 'user', content: content && `${content} ${index}` })),
  completion: [{ role: 'assistant', content: `fine ${index}` }],
})

const SHAPES: Readonly<Record<string, Shape>> = {
  'short names, two tokens': { name: short, data: tokens(1, 1) },
  'short names, 150 tokens': { name: short, data: tokens(110, 40) },
  'names of 1,024 emoji': { name: long('😀'), data: tokens(1, 1) },
  'names of 1,024 letters': { name: long('a'), data: tokens(1, 1) },
  'names of 1,024 accents': { name: long('é'), data: tokens(1, 1) },
  'names of 1,024 letters, found by subject': { name: long('a'), data: tokens(1, 1), bySubject: true },
  'short names, found by subject': { name: short, data: tokens(1, 1), bySubject: true },
  'Latin text': { name: short, data: (i) => ({ prompt: `${i}${'x'.repeat(4_000)}`, completion: `y${i}` }) },
  'Chinese text': { name: short, data: (i) => ({ prompt: `${i}${'文'.repeat(4_000)}`, completion: `y${i}` }) },
  'eight messages': { name: short, data: messages(8, 'hello there') },
  'many empty messages': { name: short, data: messages(500, '') },
}

/** So many votes that they take about this much: other objects come and go meanwhile. */
const TOTAL = (thorough ? 16 : 4) * 2 ** 20

function vote({ name, data }: Shape, index: number): Feedback {
  const record = { topic: 'feedback', partition: 0, offset: index, timestamp: 1_700_000_000_000 + index }
  const attributes = { specversion: '1.0', type: 'bcod.feedback.v1', source: name(index), id: name(index) }
  const more = { label: true, user: name(index), adapter: name(index) }
  const json = JSON.stringify({ ...attributes, subject: name(index), data: { ...data(index), ...more } })
  return toFeedback(decodeEnvelope(Buffer.from(json), {}, 2 ** 24), record, { vocabSize: 32_000 })
}

function stages({ bySubject = false }: Shape) {
  const options = { window: 1_000_000_000, ledger: new VoteLedger(0), bySubject, drop: () => undefined }
  return {
    held: new HoldBack(options),
    batcher: new Batcher({ size: 8, maxLatency: 0, stratify: false, lookAhead: 0 }),
    positions: new Positions(),
  }
}

test.each(Object.entries(SHAPES))('memory is counted within half of what it is: %s', (_, shape) => {
  const probe = stages(shape)
  probe.held.push(vote(shape, 0))
  const count = Math.ceil(TOTAL / probe.held.heldBytes)
  const { held, batcher, positions } = stages(shape)
  const before = usedBytes()
  for (let index = 0; index < count; index++) {
    const event = vote(shape, index)
    positions.track(event.position)
    held.push(event)
  }
  const ofHeld = held.heldBytes / (usedBytes() - before)
  expect(ofHeld).toBeGreaterThan(0.6)
  expect(ofHeld).toBeLessThan(1.5)

  for (let event = held.next(Number.POSITIVE_INFINITY); event; event = held.next(Number.POSITIVE_INFINITY)) {
    batcher.push(trained(event), 0)
  }
  expect(held.heldBytes).toBe(0)
  const waiting = usedBytes() - before
  // where the ids are much smaller than the text was, what else comes and goes outweighs them
  if (batcher.bytes > TOTAL / 4) {
    expect(batcher.bytes / waiting).toBeGreaterThan(0.6)
    expect(batcher.bytes / waiting).toBeLessThan(1.5)
  }
  expect([held.heldCount, batcher.count, positions.openCount]).toEqual([0, count, count])
})

test.each([
  [1, 1],
  [110, 40],
])('the memory of held-out votes of %i and %i tokens is counted within half of what it is', (prompt, completion) => {
  const shape = { name: short, data: tokens(prompt, completion) }
  const one = new HeldOutVotes({ perLabel: 1, maxAge: 0 })
  one.push({ ...trained(vote(shape, 0)), heldOut: 2 ** 52 + 1 })
  const count = Math.ceil(TOTAL / one.bytes)
  const votes = new HeldOutVotes({ perLabel: count, maxAge: 0 })
  const before = usedBytes()
  for (let index = 0; index < count; index++) votes.push({ ...trained(vote(shape, index)), heldOut: 2 ** 52 + index })
  const counted = votes.bytes / (usedBytes() - before)
  expect(votes.counts.up).toBe(count)
  expect(counted).toBeGreaterThan(0.6)
  expect(counted).toBeLessThan(1.5)
})

/** What a tokenizer would make of it: an array of its own for each text. */
function trained(vote: Feedback): TrainingEvent {
  const encode = (content: Content): Content =>
    content.kind === 'tokens' ? content : { kind: 'tokens', tokens: ids(50) }
  const { prompt, completion } = vote
  const encoded = { ...vote, label: vote.label === true, prompt: encode(prompt), completion: encode(completion) }
  return toTrainingEvent(encoded, { text: null, maxLength: 100_000, vocabSize: 32_000 })!
}

test('a vote that was superseded is not kept in memory', () => {
  const shape = SHAPES['Latin text']!
  const { held } = stages(shape)
  const before = usedBytes()
  for (let index = 0; index < 60; index++) {
    const large = { prompt: { kind: 'text', text: `${index}${'x'.repeat(2 ** 20)}` } } as const
    held.push({
      ...vote(shape, index),
      ...large,
      source: 'chat',
      subject: 'answer',
      user: 'user',
      label: index % 2 === 0,
    })
  }
  expect(held.heldCount).toBe(1)
  expect(usedBytes() - before).toBeLessThan(3 * 2 ** 20)
})

test.each(['a,b', '1020', '1020,2500', '0,1020,2500,4990', 'a,b,1020,2500', 'a,1,2,3,4,5,6,7,8,9'])(
  'the memory of letters is counted within half of what it is, whatever their headers are called: %s',
  (names) => {
    const headers = names.split(',').map((name) => [name, Buffer.alloc(0)] as const)
    const count = 4_000
    const records = encodeRecords(Array.from({ length: count }, () => ({ headers, value: Buffer.alloc(20) })))
    const fetched = { topic: 't', partition: 0, bytes: encodeBatch(records, count), aborted: [], highWatermark: count }
    const reason = { code: 'FEEDBACK_NOT_JSON', message: 'expected {', stage: 'decode' }
    const memory = new MemoryAccount()
    const write = () => new Promise<void>(() => undefined)
    const options = { capacity: count, memory, write, acknowledged: () => undefined, failed: () => undefined }
    const queue = new DeadLetterQueue(options)
    const before = usedBytes()
    // in a function of its own, whose end lets go of what was read
    const push = () => {
      for (const { records } of portions(fetched, 0, { maxBatchBytes: 2 ** 24 }))
        for (const record of records) queue.push({ record, ...reason })
    }
    push()
    const counted = memory.bytes / (usedBytes() - before)
    expect(queue.size).toBe(count)
    expect(counted).toBeGreaterThan(0.6)
    expect(counted).toBeLessThan(1.5)
  },
)
