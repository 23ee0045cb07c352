import { expect, it } from 'vitest'
import { fixture, plain, reading } from './reading.js'

const EXPORT = fixture('open-webui.json')

it('reads a vote with the chat before it: one branch of the tree, the system prompt, no reasoning', async () => {
  const { events } = await reading('open-webui', [EXPORT])
  expect(events.map(plain)).toEqual([
    [true, 'u1', ['system: Be short.', 'user: Where is the lift?'], 'Behind you.'],
    [false, 'u2', ['user: Where is the lift?', 'assistant: Behind you.', 'user: And the stairs?'], 'Next to it.'],
    [false, 'u1', ['user: Open today?'], 'Until six.'],
  ])
})

it('names answer, time, and the version that wrote it; the id changes with the vote', async () => {
  const { events } = await reading('open-webui', [EXPORT])
  expect(events[1]).toMatchObject({
    ...{ id: 'f2@1772366999', subject: 'm5', time: '2026-03-01T12:09:59.000Z' },
    ...{ adapter: 'v00000012', tags: { model: 'bcod-v00000012' } },
  })
})

it('says of each vote that it does not take why', async () => {
  const { report } = await reading('open-webui', [EXPORT])
  expect(report.skipped_by_reason).toEqual({
    ...{ not_a_vote: 1, no_label: 1, answer_missing: 1, context_missing: 1, not_text: 1, tool_steps: 1, answer_cut: 1 },
  })
  expect(report.skipped_records).toContainEqual({ place: `${EXPORT}:6`, reason: 'context_missing' })
  expect([report.events, report.up, report.down, report.users]).toEqual([3, 1, 2, 2])
})

it('takes answers without their documents if that is asked for', async () => {
  const { events } = await reading('open-webui', [EXPORT], { withoutContext: true })
  expect(events.map(plain)).toContainEqual([true, 'u1', ['user: What does the manual say?'], 'Press the button [1].'])
})

it('chooses by time and by model', async () => {
  const since = await reading('open-webui', [EXPORT], { since: Date.parse('2026-03-01T12:05:00Z') })
  expect(since.events.map(({ id }) => id)).toEqual(['f2@1772366999', 'f8@1772367000'])
  expect(since.report.skipped_by_reason.before_since).toBe(2)
  const other = await reading('open-webui', [EXPORT], { models: ['another'] })
  expect([other.events.length, other.report.skipped_by_reason.other_model]).toEqual([0, 4])
})
