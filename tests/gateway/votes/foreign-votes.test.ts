import { describe, expect, it } from 'vitest'
import type { BcodError } from '../../../src/errors.js'
import { fromDify, fromLangfuse, fromOpenTelemetry } from '../../../src/gateway/votes/foreign-votes.js'

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
