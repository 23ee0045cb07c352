import { describe, expect, it } from 'vitest'
import { decodeEnvelope, type EnvelopeOptions } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { cloudEvent, errorLine, record } from './records.js'

/** What SDKs, frameworks and bridges write, after their own bug reports; one record each. */
function read(value: unknown, headers: Record<string, string> = {}, options: EnvelopeOptions = {}) {
  const source = record(value, headers)
  return toFeedback(decodeEnvelope(source.value!, source.headers, 2 ** 20, options), source, { vocabSize: null })
}

const { data } = cloudEvent()
const ATTRIBUTES = { specversion: '1.0', type: 'bcod.feedback.v1', source: 'chat-web', id: 'e-1', subject: 'c-1' }
const named = (spell: (name: string) => string, quote = (value: string) => value) =>
  Object.fromEntries(Object.entries(ATTRIBUTES).map(([name, value]) => [spell(name), quote(value)]))
const upper = (name: string) => name.charAt(0).toUpperCase() + name.slice(1)

describe('the headers of a binary CloudEvent', () => {
  it.each<[string, Record<string, string>]>([
    ['ce_, the Kafka binding', named((name) => `ce_${name}`)],
    [
      'ce-, the HTTP binding (spring-cloud-function#856, #1461; cloudevents/sdk-java#359)',
      named((name) => `ce-${name}`),
    ],
    ['Ce-Id', named((name) => `Ce-${upper(name)}`)],
    ['CE_ID', named((name) => `CE_${name.toUpperCase()}`)],
    ['cloudEvents_, the JMS binding', named((name) => `cloudEvents_${name}`)],
    ['cloudEvents:, the AMQP binding', named((name) => `cloudEvents:${name}`)],
    ['cloudevents-', named((name) => `cloudevents-${name}`)],
    ['values as JSON strings (spring-kafka#1012)', named((name) => `ce_${name}`, JSON.stringify)],
    ['the same value in two spellings', { ...named((name) => `ce_${name}`), ...named((name) => `ce-${name}`) }],
    [
      'the content type of the data among them (spring-cloud-function#1401)',
      { ...named((name) => `ce_${name}`), ce_datacontenttype: 'text/plain' },
    ],
    [
      'a content type that says structured, though the event is in the headers',
      {
        ...named((name) => `ce_${name}`),
        'content-type': 'application/cloudevents+json',
      },
    ],
  ])('are read as %s', (_, headers) => {
    expect(read(data, headers)).toMatchObject({ source: 'chat-web', id: 'e-1', subject: 'c-1', label: true })
    expect(read({ label: null, user: 'u' }, headers)).toMatchObject({ subject: 'c-1', user: 'u', label: null })
  })

  it('are read although a time and an extension beside them are not UTF-8: nobody reads those', () => {
    const { headers, ...rest } = record(
      data,
      named((name) => `ce_${name}`),
    )
    const odd = { ...headers, ce_time: Buffer.from([0xff]), 'ce-trace': Buffer.from([0xff]) }
    expect(decodeEnvelope(rest.value!, odd, 2 ** 20).attributes).toMatchObject({ id: 'e-1' })
  })

  // CloudEvents 1.0, HTTP protocol binding, 3.1.3.2
  it.each([
    ['a%20b', 'a b'],
    ['Euro%20%E2%82%AC%20%F0%9F%98%80', 'Euro € 😀'],
    ['%c3%a9', 'é'],
    ['"a%22b"', 'a"b'],
    ['%2520', '%20'],
    ['100%', '100%'],
    ['%zz%2', '%zz%2'],
    ['%ff%20%c3%41', '%ff %c3A'],
    ['%ed%a0%80', '%ed%a0%80'],
  ])('are percent-decoded where HTTP has spelt them: %s is %s', (written, meant) => {
    for (const prefix of ['ce-', 'Ce-'])
      expect(read(data, { ...named((name) => `${prefix}${name}`), [`${prefix}subject`]: written }).subject).toBe(meant)
    for (const prefix of ['ce_', 'cloudEvents:'])
      expect(read(data, { ...named((name) => `${prefix}${name}`), [`${prefix}subject`]: 'a%20b' }).subject).toBe(
        'a%20b',
      )
  })

  it.each<[string, Record<string, string>, string]>([
    [
      'one of them alone',
      { 'ce-id': 'e-1' },
      'specversion: expected "1.0", got nothing: the record looks like a CloudEvent and has none',
    ],
    [
      'an extension alone',
      { ce_traceparent: '00-1' },
      'specversion: expected "1.0", got nothing: the record looks like a CloudEvent and has none',
    ],
    [
      'another version',
      named(
        (name) => `ce-${name}`,
        (value) => (value === '1.0' ? '0.3' : value),
      ),
      'specversion: expected "1.0", got another text',
    ],
    [
      'two values for one',
      { ...named((name) => `ce_${name}`), 'ce-id': 'e-2' },
      'id: two headers give it different values',
    ],
    [
      'no id',
      Object.fromEntries(Object.entries(named((name) => `ce-${name}`)).filter(([name]) => name !== 'ce-id')),
      'id: expected a non-empty string, got nothing',
    ],
  ])('make a dead letter with %s, and never a bare row', (_, headers, problem) => {
    expect(errorLine(() => read(data, headers))).toBe(`FEEDBACK_INVALID ${problem}`)
  })
})

describe('a structured CloudEvent', () => {
  it.each<[string, Record<string, string>]>([
    ['Content-Type', { 'Content-Type': 'Application/CloudEvents+JSON; charset=UTF-8' }],
    ['contentType, quoted, as Spring has it', { contentType: '"application/cloudevents+json"' }],
    ['application/cloudevents without a format', { 'content-type': 'application/cloudevents' }],
    ['no content type, and headers that a bridge has added', named((name) => `ce-${name}`)],
  ])('is read with %s', (_, headers) => {
    expect(read(cloudEvent(), headers)).toMatchObject({ subject: 'completion-1', label: true })
  })

  it.each<[string, object]>([
    ['data as a JSON text', { ...cloudEvent(), data: JSON.stringify(data) }],
    ['data_base64', { ...ATTRIBUTES, data_base64: Buffer.from(JSON.stringify(data)).toString('base64') }],
    [
      "Connect's envelope within data (Debezium's outbox with its CloudEvents converter)",
      { ...cloudEvent(), data: { schema: {}, payload: data } },
    ],
    ["Dapr's event around the data", { ...cloudEvent(), type: 'com.dapr.event.sent', pubsubname: 'p', topic: 't' }],
    [
      "Dapr's event around the event",
      { specversion: '1.0', type: 'com.dapr.event.sent', source: 'app', id: 'x', data: cloudEvent({}, { id: 'e-1' }) },
    ],
    [
      "Dapr's event around the event as a text",
      { specversion: '1.0', type: 'com.dapr.event.sent', source: 'app', id: 'x', data: JSON.stringify(cloudEvent()) },
    ],
  ])('is read with %s', (_, event) => {
    expect(read(event)).toMatchObject({ source: 'chat-web', id: 'e-1', label: true, prompt: { text: 'Hi' } })
  })

  it('is read where it was encoded twice', () => {
    expect(read(JSON.stringify(cloudEvent()))).toMatchObject({ id: 'e-1', label: true })
  })

  it.each<[string, unknown, Record<string, string>, string]>([
    [
      'its keys in other letters',
      { SpecVersion: '1.0', Type: 'bcod.feedback.v1', Data: data },
      {},
      'specversion: expected "1.0", got nothing: the record looks like a CloudEvent and has none',
    ],
    [
      'a version before 0.2',
      { cloudEventsVersion: '0.1', ...data },
      {},
      'specversion: expected "1.0", got nothing: the record looks like a CloudEvent and has none',
    ],
    [
      'our type beside the data',
      { type: 'bcod.feedback.v1', ...data },
      {},
      'specversion: expected "1.0", got nothing: the record looks like a CloudEvent and has none',
    ],
    [
      'nothing but its content type',
      data,
      { 'content-type': 'application/cloudevents+json' },
      'specversion: expected "1.0", got nothing: the record looks like a CloudEvent and has none',
    ],
    [
      'data and data_base64',
      { ...cloudEvent(), data_base64: 'e30=' },
      {},
      'data_base64: beside data: one of them is too much',
    ],
    [
      'data_base64 that is none',
      { ...ATTRIBUTES, data_base64: 'é' },
      {},
      'data_base64: expected base64, got a string of 1 character',
    ],
    [
      'data that is no JSON',
      { ...cloudEvent(), data: 'my secret' },
      {},
      'data: expected an object, got a string of 9 characters that holds no JSON',
    ],
    [
      "the type of Debezium's converter",
      { ...cloudEvent(), type: 'io.debezium.connector.postgresql.DataChangeEvent' },
      {},
      'type: expected "bcod.feedback.v1", got an event that Debezium\'s converter has made of a row',
    ],
    [
      'an array',
      [cloudEvent(), cloudEvent()],
      {},
      '$: expected an object, got an array of 2: one record is one vote, send each as a record of its own',
    ],
    [
      'a batch',
      [cloudEvent()],
      { 'content-type': 'application/cloudevents-batch+json' },
      'content-type: a batch of CloudEvents: one record is one vote, send each as a record of its own',
    ],
    [
      'another format',
      cloudEvent(),
      { 'content-type': 'application/cloudevents+avro' },
      'content-type: a CloudEvent in another format than JSON',
    ],
  ])('is a dead letter with %s', (_, value, headers, problem) => {
    expect(errorLine(() => read(value, headers))).toBe(`FEEDBACK_INVALID ${problem}`)
  })
})

describe("Kafka Connect's envelope", () => {
  it.each<[string, unknown, object]>([
    ['an event', { schema: { type: 'struct' }, payload: cloudEvent() }, { id: 'e-1' }],
    ['an event as a text', { schema: { type: 'string' }, payload: JSON.stringify(cloudEvent()) }, { id: 'e-1' }],
    ['a bare row', { schema: null, payload: data }, { id: 'votes-2-17', subject: null }],
  ])('is taken off %s', (_, value, expected) => {
    expect(read(value)).toMatchObject({ label: true, ...expected })
  })

  it('is named in the error where it is not to be taken off', () => {
    expect(errorLine(() => read({ schema: null, payload: data }, {}, { unwrap: 'none' }))).toBe(
      "FEEDBACK_INVALID $: Kafka Connect's envelope (schema, payload): stream.unwrap=auto takes it off",
    )
  })

  it('is named in the error with nothing in it', () => {
    expect(errorLine(() => read({ schema: null, payload: null }))).toBe(
      'FEEDBACK_INVALID $: expected an object, got null',
    )
  })
})

// https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-events
describe("Debezium's change event", () => {
  const row = { ...data, user: 'u-7' }
  const change = (op: string, before: unknown, after: unknown) => ({
    before,
    after,
    op,
    source: { connector: 'postgresql' },
    ts_ms: 1,
  })
  const NOT_WHOLE =
    'a change event of Debezium without the row: the table needs REPLICA IDENTITY FULL to tell whose vote was deleted'
  const key = Buffer.from('{"id":5}')
  const wrappedKey = Buffer.from(JSON.stringify({ schema: { type: 'struct' }, payload: { id: 5 } }))

  it.each<[string, unknown, boolean | null]>([
    ['a created row is a vote', change('c', null, row), true],
    ['a row of a snapshot is a vote', change('r', null, row), true],
    ['a changed row is a vote on the same thing', change('u', null, { ...row, label: false }), false],
    ['a deleted row takes it back', change('d', row, null), null],
    ['a row as a text (MongoDB)', change('c', null, JSON.stringify(row)), true],
    ["within Connect's envelope", { schema: {}, payload: change('c', null, row) }, true],
    // https://debezium.io/documentation/reference/stable/transformations/event-flattening.html
    ['a flattened row is a vote (add.fields=op)', { ...row, __op: 'c' }, true],
    ['a flattened row that was changed is a vote on the same thing', { ...row, label: false, __op: 'u' }, false],
    ['a flattened row is a vote (rewrite)', { ...row, __deleted: 'false' }, true],
    ['a flattened row is a vote (add.fields=table,lsn)', { ...row, __table: 'votes', __lsn: 7 }, true],
    ['a flattened row is a vote (add.fields=source.ts_ms)', { ...row, __source_ts_ms: 7 }, true],
    ['a flattened row that was deleted takes it back (rewrite)', { ...row, __deleted: 'true' }, null],
    ['a flattened row that was deleted takes it back (add.fields=op)', { ...row, __op: 'd', __deleted: true }, null],
    ["a flattened row within Connect's envelope", { schema: {}, payload: { ...row, __op: 'r' } }, true],
  ])('%s', (_, value, label) => {
    for (const each of [key, wrappedKey])
      expect(read(value, {}, { key: each })).toMatchObject({ source: 'votes', subject: '{"id":5}', user: 'u-7', label })
  })

  it.each<[string, string, string]>([
    ['9007199254740993', '9007199254740992', ''],
    ['{"a":1,"id":{"b":[9007199254740993]}}', '{"a":1,"id":{"b":[9007199254740992]}}', 'deep in it'],
    ['{"id":0.10000000000000000001}', '{"id":0.1}', 'of a decimal'],
    ['{"id":1e999}', '{"id":2e999}', 'beyond all numbers'],
  ])('keeps apart the keys %s and %s %s', (one, other) => {
    const subjects = [one, other].flatMap((payload) =>
      [payload, `{"schema":{"type":"int64"},"payload":${payload}}`].map(
        (text) => read(change('c', null, row), {}, { key: Buffer.from(text) }).subject,
      ),
    )
    expect(new Set(subjects).size).toBe(4)
  })

  it.each<[string, unknown, Uint8Array | null, string]>([
    [
      'a record without a key',
      change('u', null, row),
      null,
      'key: a change event of Debezium without a key: which row it is about is not known',
    ],
    ['a deleted row that is not told whole', change('d', { id: 5 }, null), key, `before: ${NOT_WHOLE}`],
    ['a truncated table', change('t', null, null), key, 'op: a change event of Debezium that is about no row'],
    [
      'an outbox table',
      change('c', null, { aggregateid: 1, payload: '{}' }),
      key,
      "after: a row of an outbox table: Debezium's EventRouter writes its payload alone",
    ],
    [
      'a deleted row of which all but the key is null',
      change('d', { id: 5, label: null, user: null, prompt: null, completion: null }, null),
      key,
      `before: ${NOT_WHOLE}`,
    ],
    [
      'a flattened row without a key',
      { ...row, __op: 'u' },
      null,
      'key: a change event of Debezium without a key: which row it is about is not known',
    ],
    ['a flattened, deleted row that is not told whole', { id: 5, __deleted: 'true' }, key, `data: ${NOT_WHOLE}`],
    [
      'a flattened, deleted row of which all but the key is null',
      { id: 5, label: null, user: null, __op: 'd' },
      key,
      `data: ${NOT_WHOLE}`,
    ],
  ])('is a dead letter for %s', (_, value, each, problem) => {
    expect(errorLine(() => read(value, {}, { key: each }))).toBe(`FEEDBACK_INVALID ${problem}`)
  })

  it('is named in the error where it is not to be taken off', () => {
    expect(errorLine(() => read(change('c', null, row), {}, { key, unwrap: 'none' }))).toBe(
      "FEEDBACK_INVALID $: Debezium's envelope (before, after, op): stream.unwrap=auto takes it off",
    )
    expect(errorLine(() => read({ ...row, __op: 'c' }, {}, { key, unwrap: 'none' }))).toBe(
      'FEEDBACK_INVALID $: a row that Debezium has flattened (__op, __deleted): stream.unwrap=auto reads it',
    )
  })

  // https://debezium.io/documentation/reference/stable/connectors/postgresql.html#postgresql-toasted-values
  const GONE = '__debezium_unavailable_value'
  it.each<[string, object, string]>([
    ['prompt', { prompt: GONE }, 'prompt'],
    ['completion', { completion: GONE }, 'completion'],
    ['user', { user: GONE }, 'user'],
    ['column of bytes', { completion: Buffer.from(GONE).toString('base64') }, 'completion'],
    ['array of texts', { tools: [GONE] }, 'tools'],
    ['array of integers', { completion_tokens: [...Buffer.from(GONE)] }, 'completion_tokens'],
    ['map', { chat_template_kwargs: { [GONE]: GONE } }, 'chat_template_kwargs'],
  ])('is a dead letter where an update does not tell a long %s (TOAST)', (_, columns, place) => {
    const problem =
      `FEEDBACK_INVALID data.${place}: Debezium's placeholder for a column that it was not told: the table needs ` +
      "REPLICA IDENTITY FULL, or the connector Debezium's reselect post processor"
    const updated = { ...row, ...columns }
    for (const value of [change('u', null, updated), { ...updated, __op: 'u' }, updated])
      expect(errorLine(() => read(value, {}, { key }))).toBe(problem)
  })

  it('is a vote where the word is in a column that nobody reads, or within a text', () => {
    const updated = { ...row, tags: GONE, prompt: `What is ${GONE}?` }
    expect(read(change('u', null, updated), {}, { key })).toMatchObject({ prompt: { text: `What is ${GONE}?` } })
  })

  it('takes back the vote of a deleted row whose text is not told', () => {
    expect(read(change('d', { ...row, prompt: GONE }, null), {}, { key })).toMatchObject({ label: null, user: 'u-7' })
  })

  it('is a flattened row also where its metadata are in the headers (add.headers=op)', () => {
    expect(read(row, { __op: 'u' }, { key })).toMatchObject({ subject: '{"id":5}', label: true })
  })
})

describe("a schema registry's frame", () => {
  const json = Buffer.from(JSON.stringify(cloudEvent()))
  const framed = (...head: number[]) => Buffer.concat([Buffer.from(head), json])
  const uuid = Array.from({ length: 16 }, () => 7)

  it.each([
    ["Confluent's", framed(0, 0, 0, 0, 7)],
    ["Confluent's with a GUID", framed(1, ...uuid)],
    ["Apicurio's", framed(0, 0, 0, 0, 0, 0, 0, 0, 7)],
    ["AWS Glue's", framed(3, 0, ...uuid)],
  ])('%s before JSON is skipped', (_, value) => {
    expect(read(value)).toMatchObject({ id: 'e-1', label: true })
  })

  it.each([
    [
      'Avro',
      Buffer.from([0, 0, 0, 0, 9, 6, 97, 98, 99, 2]),
      "not JSON: a schema registry's frame with something else behind it (Avro, Protobuf): publish JSON",
    ],
    ['zlib of AWS Glue', framed(3, 5, ...uuid), 'not JSON: compressed by the serialiser of AWS Glue'],
    [
      'Protobuf without a frame',
      Buffer.from([0x0a, 0x02, 0x68, 0x69]),
      'not JSON at character 1: a byte that no text has: Avro, Protobuf or compressed data?',
    ],
    ['nothing', Buffer.alloc(0), 'not JSON: it is empty'],
    [
      'two events',
      Buffer.concat([json, Buffer.from('\n'), json]),
      `not JSON at character ${json.length + 1}: something follows the first value; each vote is a record, or a line, of its own`,
    ],
  ])('%s is named', (_, value, problem) => {
    expect(errorLine(() => read(value))).toBe(`FEEDBACK_NOT_JSON: ${problem}`)
  })
})
