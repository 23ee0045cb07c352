import { describe, expect, it } from 'vitest'
import type { BcodError } from '../../../src/errors.js'
import {
  fromDify,
  fromLangfuse,
  fromLangfuseBatch,
  fromOpenTelemetry,
} from '../../../src/gateway/votes/foreign-votes.js'

const ID = 'cmpl-01945d3c-2f80-7b3a-9c5e-0123456789ab'
const placeOf = (read: () => unknown) => {
  try {
    return read()
  } catch (error) {
    return `${(error as BcodError).code} ${(error as BcodError).place}`
  }
}

describe("Dify's feedback", () => {
  it.each([
    ['like', true],
    ['dislike', false],
    [null, null],
  ])('%s is a label', (rating, label) => {
    const body = { rating, user: 'abc-123', content: 'This answer was very helpful!' }
    const vote = { completion: ID, label, user: 'abc-123', reason: 'This answer was very helpful!' }
    expect(fromDify(ID, body)).toEqual(vote)
  })

  it.each([{}, { rating: 'love' }, { rating: 1 }])('%j is refused', (body) => {
    expect(placeOf(() => fromDify(ID, body))).toBe('VOTE_INVALID rating')
  })
})

describe("Langfuse's score", () => {
  it.each([
    [1, true],
    [0, false],
    [-1, false],
  ])('%d is a label', (value, label) => {
    const score = { id: 's1', traceId: ID, name: 'user-feedback', value, dataType: 'BOOLEAN', comment: 'why' }
    expect(fromLangfuse(score)).toEqual({ completion: ID, label, user: undefined, reason: 'why' })
  })

  it('names the answer by its observation before its trace, and the user in its metadata', () => {
    const score = { traceId: 't', observationId: ID, name: 'n', value: 1, metadata: { user: 'ann' } }
    expect(fromLangfuse(score)).toMatchObject({ completion: ID, user: 'ann' })
  })

  it.each([0.5, 'good', undefined, null])('of %j is no vote', (value) => {
    expect(placeOf(() => fromLangfuse({ traceId: ID, name: 'n', value }))).toBe('VOTE_INVALID value')
  })
})

describe("Langfuse's batch of events", () => {
  const score = (value: unknown) => ({ id: 'score-1', traceId: ID, name: 'user-feedback', value, dataType: 'BOOLEAN' })
  const event = (id: string, type: string, body: object) => ({ id, type, timestamp: '2026-11-20T10:00:00.000Z', body })

  it('has votes where scores are created, and nothing else', () => {
    const batch = [event('e1', 'trace-create', { id: ID }), event('e2', 'score-create', score(1))]
    const [trace, vote] = fromLangfuseBatch({ batch, metadata: { sdk_name: 'any' } })
    expect(trace).toEqual({ id: 'e1', vote: null })
    expect(vote?.id).toBe('e2')
    expect(vote?.vote?.()).toMatchObject({ completion: ID, label: true, sequence: 'e2 2026-11-20T10:00:00.000Z' })
  })

  it('says what is wrong with a score when it is asked for', () => {
    const [vote] = fromLangfuseBatch({ batch: [event('e1', 'score-create', score(0.5))] })
    expect(placeOf(() => vote?.vote?.())).toBe('VOTE_INVALID value')
  })

  it.each([
    [{}, 'batch'],
    [{ batch: [{ type: 'score-create' }] }, 'batch[0].id'],
    [{ batch: Array(1001).fill(event('e', 'sdk-log', {})) }, 'batch'],
  ])('of another form is refused: %#', (body, place) => {
    expect(placeOf(() => fromLangfuseBatch(body))).toBe(`VOTE_INVALID ${place}`)
  })
})

/** As the JSON form of OTLP has it. */
const logs = (...logRecords: object[]) => ({
  resourceLogs: [{ resource: { attributes: [] }, scopeLogs: [{ scope: { name: 'chat' }, logRecords }] }],
})
const evaluation = (score: object, extra: object = {}) => ({
  timeUnixNano: '1732000000000000000',
  eventName: 'gen_ai.evaluation.result',
  attributes: [
    { key: 'gen_ai.evaluation.name', value: { stringValue: 'UserFeedback' } },
    { key: 'gen_ai.evaluation.score.value', value: score },
    { key: 'gen_ai.response.id', value: { stringValue: ID } },
    { key: 'gen_ai.evaluation.explanation', value: { stringValue: 'why' } },
    { key: 'user.id', value: { stringValue: 'ann' } },
  ],
  ...extra,
})

describe("OpenTelemetry's evaluation event", () => {
  it.each([
    [{ doubleValue: 1 }, true],
    [{ intValue: '1' }, true],
    [{ doubleValue: 0 }, false],
    [{ intValue: '-1' }, false],
  ])('with %j is a label', (score, label) => {
    const votes = fromOpenTelemetry(logs(evaluation(score))).map((read) => read?.())
    const sequence = '1732000000000000000'
    expect(votes).toEqual([{ completion: ID, label, user: 'ann', reason: 'why', sequence }])
  })

  it('is told from other log records, and one that is wrong hides no other', () => {
    const older = evaluation({ doubleValue: 1 }, { eventName: undefined })
    older.attributes.push({ key: 'event.name', value: { stringValue: 'gen_ai.evaluation.result' } })
    const records = [{ body: { stringValue: 'hello' } }, evaluation({ doubleValue: 0.7 }), older]
    const [other, wrong, right] = fromOpenTelemetry(logs(...records))
    expect(other).toBeNull()
    expect(placeOf(() => wrong?.())).toBe('VOTE_INVALID gen_ai.evaluation.score.value')
    expect(right?.()).toMatchObject({ label: true })
  })

  it.each([{}, { resourceLogs: 1 }, { resourceLogs: [{ scopeLogs: [null] }] }])('is not in %j', (body) => {
    expect(fromOpenTelemetry(body)).toEqual([])
  })
})
