import { expect, test } from 'vitest'
import { beforehand, shownVote, sideBySide, timed, votesRow } from '../../../scripts/demo-serving/words.mjs'

test('a line has the seconds since the start', () => {
  expect(timed(7.4, 'vLLM answers.')).toBe('    7 s  vLLM answers.')
})

test('a row of votes has the share of thumbs-up, every version that was voted on, and the one that followed', () => {
  const said = [
    { label: true, adapter: 'v00000008' },
    { label: false, adapter: 'base' },
    { label: false, adapter: 'v00000008' },
    { label: false, adapter: 'base' },
  ]
  expect(votesRow(32, said, { version: 'v00000016', seconds: 4.24 })).toBe(
    '     32        25 %   base, v00000008   v00000016 after 4.2 s',
  )
})

test('a vote is shown as it is sent, but for the end of its token', () => {
  const vote = { completion: 'cmpl-1', label: false, token: 'abcdefghijklmnopqrstuvwxyz' }
  expect(shownVote(vote)).toBe('POST /v1/feedback {"completion":"cmpl-1","label":false,"token":"abcdefghijkl…"}')
})

test('answers stand side by side, broken between words', () => {
  const before = 'Happy to help! Open your orders and choose a refund.'
  const shown = {
    heads: ['before', 'after'],
    questions: ['A refund?'],
    answers: [[before], ['Open your orders.']],
  } as const
  expect(sideBySide({ ...shown, width: 65 })).toBe(
    [
      '  before                         after',
      '',
      '“A refund?”',
      '  Happy to help! Open your       Open your orders.',
      '  orders and choose a refund.',
    ].join('\n'),
  )
})

test('how long set-up takes is said beforehand, for what is missing alone', () => {
  expect(beforehand([])).not.toContain('set-up')
  const told = beforehand([
    { name: 'Kafka', size: '43 MB', minutes: 0.5 },
    { name: 'vLLM', size: '0.8 GB', minutes: 2 },
  ])
  expect(told).toContain('about 3 min')
  expect(told).toContain('  Kafka: 43 MB\n  vLLM: 0.8 GB\n')
})
