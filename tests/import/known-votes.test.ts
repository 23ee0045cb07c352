import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { expect, it, onTestFinished } from 'vitest'
import { encodeFeedback } from '../../src/events/encode.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { type KnownVote, KnownVotes } from '../../src/import/known-votes.js'
import { readState, writeState } from '../../src/import/state.js'
import { fixture, reading } from './reading.js'

const EXPORT = fixture('open-webui.json')
const OF = { format: 'open-webui', source: 'open-webui' }

const vote = (subject: string, user: string | null = null): KnownVote => ({
  ...{ subject, user, id: `${subject}@1`, label: true, time: 1 },
})

function stateFile(): string {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-state-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return join(directory, 'state.json')
}

it('imports what is new or changed, and leaves out what was imported before', async () => {
  const known = new KnownVotes([])
  expect((await reading('open-webui', [EXPORT], { known })).events).toHaveLength(3)
  const again = await reading('open-webui', [EXPORT], { known })
  expect([again.events.length, again.report.skipped_by_reason.unchanged]).toEqual([0, 3])
  const changed = new KnownVotes(
    known.snapshot(null).map((each) => (each.subject === 'm5' ? { ...each, id: 'f2@1772366500', label: true } : each)),
  )
  const { events } = await reading('open-webui', [EXPORT], { known: changed })
  expect(events.map(({ id, subject, label }) => [id, subject, label])).toEqual([['f2@1772366999', 'm5', false]])
})

it('takes back a vote that a complete export lacks, as an event that bcod reads, once', async () => {
  const known = new KnownVotes([vote('gone', 'u9')])
  const options = { known, complete: true }
  const { events, report } = await reading('open-webui', [EXPORT], options)
  expect(report.retracted).toBe(1)
  const feedback = toFeedback(
    decodeEnvelope(encodeFeedback(events.at(-1)!), {}, 1000),
    { topic: 't', partition: 0, offset: 0, timestamp: 0 },
    { vocabSize: null },
  )
  expect(feedback).toMatchObject({
    source: 'open-webui',
    id: 'gone@1:removed',
    subject: 'gone',
    user: 'u9',
    label: null,
  })
  expect((await reading('open-webui', [EXPORT], options)).events).toEqual([])
})

it('does not take back a vote that is there and not chosen, nor anything of an export that is not complete', async () => {
  const known = new KnownVotes([vote('m2', 'u1')])
  expect((await reading('open-webui', [EXPORT], { known, complete: true, models: ['x'] })).events).toEqual([])
  const partial = await reading('open-webui', [EXPORT], { known: new KnownVotes([vote('gone')]) })
  expect(partial.report.retracted).toBe(0)
})

it('refuses to take back more than half of many votes', () => {
  const many = Array.from({ length: 30 }, (_, i) => vote(`s${i}`))
  const cut = new KnownVotes(many)
  for (const each of many.slice(0, 14)) cut.saw(each)
  expect(() => cut.removed('x')).toThrow(expect.objectContaining({ code: 'IMPORT_SHRUNK' }))
  const half = new KnownVotes(many)
  for (const each of many.slice(0, 15)) half.saw(each)
  expect(half.removed('x')).toHaveLength(15)
})

it('keeps its state in a file, and forgets votes that will not be looked at again', async () => {
  const name = fc.string({ minLength: 1 }).filter((text) => text.isWellFormed())
  const votes = fc.uniqueArray(
    fc.record({
      ...{ subject: name, user: fc.option(name), id: name, label: fc.boolean() },
      time: fc.option(fc.integer({ min: 0 })),
    }),
    { selector: ({ subject, user }) => JSON.stringify([subject, user]), maxLength: 5 },
  )
  const path = stateFile()
  await fc.assert(
    fc.asyncProperty(votes, fc.option(fc.integer({ min: 0 })), async (all, since) => {
      await writeState(path, { ...OF, since, votes: all })
      const state = readState(path, OF)
      expect(state).toEqual({ ...OF, since, votes: all })
      const kept = all.filter(({ time }) => since === null || time === null || time >= since)
      expect(new KnownVotes(state.votes).snapshot(since)).toEqual(kept)
    }),
    { numRuns: 50 },
  )
  expect(readState(stateFile(), OF)).toEqual({ ...OF, since: null, votes: [] })
})

it('refuses the state of another source, and one that is damaged', async () => {
  const path = stateFile()
  await writeState(path, { ...OF, since: null, votes: [vote('s')] })
  const refused = expect.objectContaining({ code: 'IMPORT_STATE_INVALID', place: path })
  expect(() => readState(path, { ...OF, source: 'other' })).toThrow(refused)
  const whole = readFileSync(path, 'utf8')
  for (const text of [whole.slice(0, -9), whole.replace('"version":1', '"version":2'), whole.replace('"s"', '7')]) {
    writeFileSync(path, text)
    expect(() => readState(path, OF)).toThrow(refused)
  }
})
