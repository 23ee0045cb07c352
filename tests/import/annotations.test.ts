import { expect, it } from 'vitest'
import { fromDocument } from './reading.js'

it('Label Studio: submitted annotations of the question that is asked for, with the fields of the project', async () => {
  const result = (value: string, name = 'quality') => ({
    ...{ id: 'r', from_name: name, to_name: 'chat', type: 'choices', value: { choices: [value] }, origin: 'manual' },
  })
  const annotation = (id: number, results: readonly object[], more: object = {}) => ({
    ...{ id, completed_by: 3, result: results, was_cancelled: false, ground_truth: false },
    ...{ created_at: '2026-03-01T12:00:00Z', updated_at: '2026-03-01T12:00:00Z', ...more },
  })
  const task = (id: number, data: object, annotations: readonly object[]) => ({
    id,
    data,
    annotations,
    predictions: [],
  })
  const data = { messages: [{ role: 'user', content: 'Hi' }], response: 'Hello!' }
  const { events, drafts, skipped } = await fromDocument('label-studio', [
    task(1, data, [
      annotation(10, [result('Good')]),
      annotation(11, [result('Bad')], { completed_by: { id: 4, email: 'ann@example.com' } }),
      annotation(12, [result('Good')], { was_cancelled: true }),
      annotation(13, [result('Hm')]),
    ]),
    task(2, { text: 'Hi' }, [annotation(14, [result('Good')])]),
  ])
  expect(events).toEqual([
    [true, '3', ['user: Hi'], 'Hello!'],
    [false, '4', ['user: Hi'], 'Hello!'],
  ])
  expect(drafts[0]).toMatchObject({ id: '10@2026-03-01T12:00:00Z', subject: '1' })
  expect(skipped).toEqual({ not_submitted: 1, no_label: 1, answer_missing: 1 })
  const stars = { from_name: 'stars', type: 'rating', value: { rating: 5 } }
  const named = await fromDocument(
    'label-studio',
    [task(3, { q: 'Hi', a: 'Hello!' }, [annotation(15, [result('Bad'), stars])])],
    { name: 'stars', up: ['4', '5'], down: ['1', '2'], promptField: 'q', answerField: 'a' },
  )
  expect(named.events).toEqual([[true, '3', ['user: Hi'], 'Hello!']])
})

it('Argilla: submitted responses of records and of exported datasets', async () => {
  const exported = {
    ...{ id: 'rec-1', chat: [{ role: 'user', content: 'Hi' }], response: 'Hello!' },
    ...{ 'quality.responses': ['bad', 'good'], 'quality.responses.users': ['u1', 'u2'] },
    'quality.responses.status': ['submitted', 'draft'],
  }
  const record = {
    ...{ id: 'rec-2', status: 'completed', fields: { chat: [{ role: 'user', content: 'Hi' }], response: 'Hello!' } },
    responses: { quality: [{ value: 'good', user_id: 'u1', status: 'submitted' }] },
  }
  const { events, drafts, skipped } = await fromDocument('argilla', [exported, record, { id: 'rec-3', response: 'x' }])
  expect(events).toEqual([
    [false, 'u1', ['user: Hi'], 'Hello!'],
    [true, 'u1', ['user: Hi'], 'Hello!'],
  ])
  expect(drafts.map(({ id }) => id)).toEqual(['rec-1/u1@false', 'rec-2/u1@true'])
  expect(skipped).toEqual({ not_submitted: 1, not_a_vote: 1 })
})
