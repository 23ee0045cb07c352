import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BackpressureChanged, DeadLettered, EventDropped } from '../../src/telemetry/events/feedback.js'
import { PortRefused } from '../../src/telemetry/events/port.js'
import { capture } from './capture.js'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const at = { topic: 'votes', partition: 0, offset: 7 }
const letter = (code = 'FEEDBACK_INVALID') =>
  new DeadLettered(at, code, 'validate', 'data.label: expected boolean or null')

test('of a flood of letters the log has the first of a minute and how many it left out; the metric counts all', async () => {
  const { telemetry, lines, sample } = capture('info')
  for (let i = 0; i < 1_000; i++) telemetry.emit(letter())
  telemetry.emit(letter('FEEDBACK_NOT_JSON'))
  expect(lines.filter(({ code }) => code === 'FEEDBACK_INVALID')).toHaveLength(100)
  expect(lines.filter(({ code }) => code === 'FEEDBACK_NOT_JSON')).toHaveLength(1)
  expect(await sample('bcod_dead_letters_total{code="FEEDBACK_INVALID"}')).toBe(1_000)
  vi.advanceTimersByTime(60_000)
  expect(lines.at(-1)).toMatchObject({
    level: 'warn',
    msg: 'log lines left out',
    kind: 'FEEDBACK_INVALID',
    lines: 900,
    seconds: 60,
  })
  const before = lines.length
  telemetry.emit(letter())
  expect(lines).toHaveLength(before + 1)
})

test('what a cap refuses is a warning, once an hour, that says what to do', () => {
  const { telemetry, lines } = capture('info')
  for (let i = 0; i < 50; i++) telemetry.emit(new EventDropped('user_cap', at))
  telemetry.emit(new EventDropped('duplicate', at))
  expect(lines).toMatchObject([{ level: 'warn', reason: 'user_cap', remedy: expect.stringContaining('data.user') }])
  vi.advanceTimersByTime(3_600_000)
  expect(lines.at(-1)).toMatchObject({ kind: 'user_cap', lines: 49 })
})

test('what the port turns away has one line in ten seconds for each reason, with the address', async () => {
  const { telemetry, lines, sample } = capture('info')
  const refuse = (reason: 'host' | 'token') => telemetry.emit(new PortRefused({ reason, address: '10.0.0.7' }))
  for (let i = 0; i < 40; i++) refuse('token')
  refuse('host')
  expect(lines).toMatchObject([
    { level: 'warn', reason: 'token', address: '10.0.0.7' },
    { level: 'warn', reason: 'host', address: '10.0.0.7' },
  ])
  expect(await sample('bcod_http_refused_total{reason="token"}')).toBe(40)
  vi.advanceTimersByTime(10_000)
  expect(lines.at(-1)).toMatchObject({ kind: 'http_refused_token', lines: 39, seconds: 10 })
  refuse('token')
  expect(lines.at(-1)).toMatchObject({ reason: 'token' })
})

test('reading that pauses and goes on all the time has twenty lines a minute', () => {
  const { telemetry, lines } = capture('info')
  for (let i = 0; i < 200; i++) telemetry.emit(new BackpressureChanged(i % 2 === 0, { events: 10, bytes: 1_000 }))
  expect(lines).toHaveLength(20)
  vi.advanceTimersByTime(60_000)
  expect(lines.at(-1)).toMatchObject({ kind: 'reading', lines: 180, seconds: 60 })
})

test('control characters of C1 and direction marks in a line are escaped, and the JSON stays the same', () => {
  const { telemetry, lines } = capture('info')
  telemetry.logger.warn({ file: 'x\u009b31m\u202e' }, 'a\u007f')
  expect(lines).toMatchObject([{ file: 'x\u009b31m\u202e', msg: 'a\u007f' }])
})
